//! The content of a right answer.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::scenario::{Field, LISTS, Lists, Of, Root, Scenario};
use crate::tenant::{Record, Tenant};

impl Scenario {
    /// Compares an answer, field by field, with the tenant's records.
    pub(crate) fn check(&self, lists: Lists, tenant: &Tenant, argument: usize, answer: &[u8]) -> Result<()> {
        let answer: Value = serde_json::from_slice(answer).context("the answer is not JSON")?;
        ensure!(answer.get("errors").is_none(), "the answer has errors, the first of them {}", answer["errors"][0]);
        if self.is_page() {
            return check_page(&answer["data"]["user"], tenant, argument);
        }
        for root in self.roots {
            let list = &answer["data"][root.name()];
            let list = match lists {
                Lists::Pages => &list["nodes"],
                Lists::Bare => list,
            };
            let list = list.as_array().context("the answer has no list where it should be")?;
            let expected = root.records(tenant, argument);
            ensure!(list.len() == expected.len(), "{} records instead of {}", list.len(), expected.len());
            for (answer, record) in list.iter().zip(expected) {
                check(answer, &|key| tenant_value(record, key), root.fields(), tenant)?;
            }
        }
        Ok(())
    }
}

impl Root {
    /// Checks the content of the answer without GraphQL.
    pub(crate) fn check_pass_through(&self, tenant: &Tenant, argument: usize, answer: &[u8]) -> Result<()> {
        let answer: Vec<Value> = serde_json::from_slice(answer).context("the answer is not a list")?;
        let expected = self.records(tenant, argument);
        ensure!(answer.len() == expected.len(), "{} records instead of {}", answer.len(), expected.len());
        for (answer, record) in answer.iter().zip(expected) {
            for field in self.fields() {
                let expected = tenant_value(record, field.key)?;
                ensure!(is_same(answer.get(field.key).unwrap_or(&Value::Null), &expected), "`{}` differs", field.key);
            }
        }
        Ok(())
    }
}

/// Compares the page of a user with the tenant's lists: all are there, and as long as Auth0's.
fn check_page(page: &Value, tenant: &Tenant, argument: usize) -> Result<()> {
    ensure!(page["userId"] == tenant.id_of_page(argument), "the page is another user's");
    for (field, path) in LISTS {
        let nodes = page[field]["nodes"].as_array().with_context(|| format!("`{field}` is missing"))?;
        let list = tenant.list(path, tenant.id_of_page(argument)).context("the tenant has no such list")?;
        let list: Value = serde_json::from_str(list)?;
        // Some endpoints have their list in an object.
        let members = list.as_object().into_iter().flat_map(|object| object.values());
        let expected = members.chain([&list]).find_map(Value::as_array).context("the tenant's list is none")?;
        ensure!(nodes.len() == expected.len(), "`{field}` has {} records instead of {}", nodes.len(), expected.len());
    }
    Ok(())
}

fn tenant_value(record: &Record, key: &str) -> Result<Value> {
    Ok(record.get(key).map(|raw| serde_json::from_str(raw.get())).transpose()?.unwrap_or_default())
}

fn check(answer: &Value, value: &dyn Fn(&str) -> Result<Value>, fields: &[Field], tenant: &Tenant) -> Result<()> {
    let answer = answer.as_object().context("a record is not an object")?;
    ensure!(answer.len() == fields.len(), "a record has {} fields instead of {}", answer.len(), fields.len());
    for Field { name, key, of } in fields {
        let Some(answer) = answer.get(*name) else { bail!("`{name}` is missing") };
        let expected = value(key)?;
        match of {
            Of::Value => ensure!(is_same(answer, &expected), "`{name}` differs"),
            Of::List(fields) => {
                let (Some(answer), Some(expected)) = (answer.as_array(), expected.as_array()) else {
                    bail!("`{name}` is not a list");
                };
                ensure!(answer.len() == expected.len(), "`{name}` has not as many elements");
                for (answer, expected) in answer.iter().zip(expected) {
                    check(answer, &|key| Ok(expected.get(key).cloned().unwrap_or_default()), fields, tenant)?;
                }
            }
            Of::User(fields) => match expected.as_str().and_then(|id| tenant.user(id)) {
                None => ensure!(answer.is_null(), "`{name}` is not null"),
                Some(user) => check(answer, &|key| tenant_value(user, key), fields, tenant)?,
            },
        }
    }
    Ok(())
}

/// True if two values are the same. JavaScript writes `1e6` as 1000000: the same number.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let has_same = |(key, one): (&String, _)| other.get(key).is_some_and(|other| is_same(one, other));
            one.len() == other.len() && one.iter().all(has_same)
        }
        _ => one == other,
    }
}
