//! The steps of the model by which replicas have to do with Redis, as a member of the fleet takes them.

use std::time::Duration;

use super::super::super::batch;
use super::super::LONGEST_LATENESS;
use super::super::entry::SharedEntry;
use super::super::membership::{LeaseAnswer, MISSED_MEMORY, Role};
use super::super::stream_position::EntryOrder;
use super::redis::Command;
use super::step::Outcome;
use super::{FleetModel, Replica};
use crate::shared_state::Holding;

impl FleetModel {
    pub(super) fn ask_for_lease(&mut self, at: usize, outcome: Outcome) {
        // No two leases begin at the same microsecond.
        self.now += 1;
        let Self { redis, replicas, now, .. } = self;
        let Replica { name, position, holding, .. } = &mut replicas[at];
        let (owner, fence) = (name.clone(), position.fence().cloned());
        *holding = Some(match outcome {
            _ if redis.is_away => None,
            Outcome::Heard => Some(redis.hold(*now, &owner, fence.as_ref())),
            Outcome::Unheard => {
                redis.hold(*now, &owner, fence.as_ref());
                None
            }
            Outcome::Late => {
                redis.late.push(Command::Hold { owner, fence });
                None
            }
        });
    }

    pub(super) fn hear_of_lease(&mut self, at: usize) {
        let Some(holding) = self.replicas[at].holding.take() else { return };
        let (was, now) = (self.replicas[at].role(), self.instant());
        let is_late = Duration::from_millis(self.now - self.replicas[at].answered_at) >= LONGEST_LATENESS;
        let role = was.after(match &holding {
            Some(Holding { is_own: true, .. }) => LeaseAnswer::Held,
            Some(_) => LeaseAnswer::Anothers,
            None => LeaseAnswer::Missing { is_gone: is_late || self.redis.is_away },
        });
        if let Some(holding) = holding {
            self.replicas[at].answered_at = self.now;
            let finding = self.replicas[at].position.attempt(&holding);
            if finding.is_new {
                if !finding.is_lost {
                    self.take_in_shared(at, true);
                }
                self.replicas[at].position.begin(&holding, finding);
            }
            self.replicas[at].announces |= finding.is_new || finding.is_lost;
        }
        self.replicas[at].state.membership.enter(role, now);
    }

    /// Runs what it has got, if it is there.
    pub(super) fn catch_up(&mut self) {
        if !self.redis.is_away {
            for command in std::mem::take(&mut self.redis.late) {
                self.redis.run(self.now, command);
            }
        }
    }

    pub(super) fn tell(&mut self, at: usize, outcome: Outcome) {
        let Self { redis, replicas, now, .. } = self;
        let Replica { name, position, state, announces, .. } = &mut replicas[at];
        if state.membership.role() != Role::Leader {
            return;
        }
        loop {
            if *announces {
                state.membership.report_presence();
            }
            if state.membership.take_has_forgotten() {
                position.skip();
            }
            let (Some(chunk), Some(fence)) = (state.membership.next_to_publish(), position.fence()) else { return };
            let (number, previous) = position.next();
            let (owner, fence, text) = (name.clone(), fence.clone(), chunk.write(number, previous).unwrap());
            match outcome {
                _ if redis.is_away => return,
                Outcome::Late => {
                    redis.late.push(Command::Publish { owner, fence, text });
                    return;
                }
                Outcome::Unheard => {
                    redis.publish(*now, &owner, &fence, text);
                    return;
                }
                Outcome::Heard => {
                    let Some(id) = redis.publish(*now, &owner, &fence, text) else {
                        position.forget_lease();
                        return;
                    };
                    *announces = false;
                    position.written(id);
                    let chunk = state.membership.published().unwrap();
                    state.checkpoint.share(chunk.logs.iter().map(|log| &log.id));
                }
            }
        }
    }

    pub(super) fn follow(&mut self, at: usize, reads: bool) {
        let replica = &self.replicas[at];
        if replica.role() == Role::Follower && replica.state.checkpoint.is_seeded() {
            self.take_in_shared(at, reads);
        }
    }

    pub(super) fn take_in_shared(&mut self, at: usize, reads: bool) {
        if self.redis.is_away {
            return;
        }
        let after = self.replicas[at].position.after();
        let entries: Vec<_> = self.redis.stream.iter().filter(|(id, ..)| *id > after).cloned().collect();
        for (id, fence, text) in entries {
            let entry = SharedEntry::read(&text);
            let replica = &mut self.replicas[at];
            let order = replica.position.pass(id, fence.as_str(), entry.as_ref());
            if order == EntryOrder::Known || !replica.state.checkpoint.is_seeded() {
                continue;
            }
            let is_continued =
                entry.as_ref().is_some_and(|entry| entry.continues(replica.state.checkpoint.read_up_to()));
            if order == EntryOrder::Broken || !is_continued {
                let now = self.start + Duration::from_millis(self.now);
                replica.state.membership.doubt(now, now + MISSED_MEMORY);
                if reads {
                    self.read(at);
                }
            }
            let Some(entry) = entry else { continue };
            let logs = batch::read(&entry.records).unwrap();
            self.replicas[at].state.take_in_shared(&entry, &logs).unwrap();
        }
    }

    pub(super) fn take_in(&mut self, at: usize) {
        let replica = &mut self.replicas[at];
        if self.redis.is_away || replica.role() != Role::Leader || !replica.state.checkpoint.is_seeded() {
            return;
        }
        for text in &self.redis.inbox {
            let entry = SharedEntry::read(text).unwrap();
            replica.state.take_in_pushed(&batch::read(&entry.records).unwrap()).unwrap();
        }
    }
}
