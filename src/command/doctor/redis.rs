//! Check of what replicas share. Pure.

use std::time::Duration;

use super::report::Check;
use crate::shared_state::{Deployment, Survey, SurveyError};

/// Time to an answer from which on operations might be told too late.
const SLOW: Duration = Duration::from_millis(10);

/// The first version of Redis that has all that is asked of it. All of Valkey's have.
const LEAST_VERSION: u32 = 6;

/// The policy under which a full Redis takes no writes.
const NO_EVICTION: &str = "noeviction";

pub(super) fn judge(survey: &Result<Survey, SurveyError>) -> Check {
    const NAME: &str = "redis";
    let survey = match survey {
        Ok(survey) => survey,
        Err(error) => {
            let remedy = match error {
                SurveyError::Unreachable(_) => "check REDIS_URL, and whether a firewall lets this machine through",
                SurveyError::Refused(_) => {
                    "check user and password in REDIS_URL, and the rights of the user (docs/operations.md has those that are needed)"
                }
            };
            return Check::failed(
                NAME,
                error.to_string(),
                Some(format!("{remedy}; until then, each replica is alone")),
            );
        }
    };
    let Survey { version, latency, max_memory, used_memory, memory_policy, has_append_only_file, .. } = survey;
    if !survey.is_writable {
        let remedy = match survey.deployment {
            Deployment::Single => "name the primary in REDIS_URL and no replica of it, and give it memory to spare",
            Deployment::Cluster => "see whether the cluster has a primary for every slot, and give it memory to spare",
            Deployment::Sentinels => "see whether the sentinels agree on a primary, and give it memory to spare",
        };
        return Check::failed(NAME, format!("{version} takes no writes"), Some(remedy.to_owned()));
    }
    if !survey.runs_scripts {
        let remedy = "give the user in REDIS_URL the rights +@scripting and +time (docs/operations.md has all that are needed); until then, \
                      each replica is alone";
        return Check::failed(NAME, format!("{version} does not run the gateway's scripts"), Some(remedy.to_owned()));
    }
    let (silent, is_full) = (survey.silent_addresses, max_memory.is_some_and(|most| *used_memory > most / 10 * 9));
    let warnings = [
        (
            is_too_old(version),
            format!("{version} is older than Redis {LEAST_VERSION}"),
            "use Redis 6 or newer, or Valkey: the gateway is tried with no older one",
        ),
        (
            silent > 0,
            format!("{silent} of {} addresses in REDIS_URL do not answer", survey.addresses),
            "have each of them reached from here: they are there for when one of them fails",
        ),
        (
            *latency > SLOW,
            format!("{version} takes {} ms to answer", latency.as_millis()),
            "use one that is near: operations wait for it only for a few milliseconds",
        ),
        (
            is_full && memory_policy == NO_EVICTION,
            format!("{version} is nearly full, and takes no writes then (maxmemory-policy noeviction)"),
            "raise maxmemory, or have it make room (volatile-ttl): all that is shared expires",
        ),
    ];
    if let Some((_, finding, remedy)) = warnings.into_iter().find(|(holds, ..)| *holds) {
        return Check::warning(NAME, finding, remedy);
    }
    let memory = match max_memory {
        Some(bytes) => format!("at most {} MB, {memory_policy}", bytes / 1_000_000),
        None => "without a bound on memory".to_owned(),
    };
    let deployment = match survey.deployment {
        Deployment::Single => "",
        Deployment::Cluster => " (a cluster's node)",
        Deployment::Sentinels => " (named by sentinels)",
    };
    let file = if *has_append_only_file { "with" } else { "without" };
    let micros = latency.as_micros();
    Check::ok(
        NAME,
        format!(
            "{version}{deployment} answers in {micros} µs; {memory}; {file} an append-only file, which is not needed"
        ),
    )
}

/// True of an old version of Redis' own.
fn is_too_old(version: &str) -> bool {
    let major = version.strip_prefix("Redis ").and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    major.is_some_and(|major| major < LEAST_VERSION)
}

#[cfg(test)]
mod tests {
    use super::super::report::Status;
    use super::*;

    fn survey() -> Survey {
        Survey {
            version: "Valkey 8.1.0".to_owned(),
            latency: Duration::from_micros(300),
            max_memory: None,
            used_memory: 1_000_000,
            memory_policy: NO_EVICTION.to_owned(),
            has_append_only_file: false,
            is_writable: true,
            runs_scripts: true,
            deployment: Deployment::Single,
            addresses: 1,
            silent_addresses: 0,
        }
    }

    #[test]
    fn a_redis_is_judged_by_whether_it_does_its_work() {
        let full = Survey { max_memory: Some(1_050_000), ..survey() };
        let unreachable = SurveyError::Unreachable("Connection refused (os error 111)".to_owned());
        for (observed, status, finding) in [
            (Ok(survey()), Status::Ok, "without a bound on memory"),
            (Ok(Survey { max_memory: Some(100_000_000), ..survey() }), Status::Ok, "at most 100 MB, noeviction"),
            (Ok(Survey { latency: Duration::from_millis(30), ..survey() }), Status::Warning, "takes 30 ms"),
            (Ok(full.clone()), Status::Warning, "nearly full"),
            (Ok(Survey { memory_policy: "allkeys-lru".to_owned(), ..full }), Status::Ok, "allkeys-lru"),
            (Ok(Survey { is_writable: false, runs_scripts: false, ..survey() }), Status::Failed, "takes no writes"),
            (Ok(Survey { runs_scripts: false, ..survey() }), Status::Failed, "does not run the gateway's scripts"),
            (Ok(Survey { version: "Redis 5.0.14".to_owned(), ..survey() }), Status::Warning, "older than Redis 6"),
            (Ok(Survey { version: "Redis 6.0.0".to_owned(), ..survey() }), Status::Ok, "Redis 6.0.0 answers"),
            (
                Ok(Survey { deployment: Deployment::Cluster, ..survey() }),
                Status::Ok,
                "8.1.0 (a cluster's node) answers",
            ),
            (Ok(Survey { deployment: Deployment::Sentinels, ..survey() }), Status::Ok, "(named by sentinels) answers"),
            (Ok(Survey { addresses: 3, silent_addresses: 1, ..survey() }), Status::Warning, "1 of 3 addresses"),
            (Err(unreachable), Status::Failed, "Connection refused"),
            (Err(SurveyError::Refused("WRONGPASS".to_owned())), Status::Failed, "WRONGPASS"),
        ] {
            let check = judge(&observed);
            assert_eq!(check.status, status, "{check:?}");
            assert!(check.finding.contains(finding), "{check:?}");
            assert_eq!(check.remedy.is_some(), status != Status::Ok, "{check:?}");
        }
    }
}
