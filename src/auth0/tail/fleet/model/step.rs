//! Things that happen to a fleet.

use proptest::prelude::*;

use super::REPLICAS;

/// A thing that happens.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// So many logs come.
    Arrive(usize),
    /// A log is pushed to a replica, and cannot be read yet.
    Push(usize),
    /// All logs can be read.
    Release,
    /// A replica tries for the lease.
    Hold(usize),
    /// A replica begins to read, if it is to. True if the answer is that of this moment, whenever it comes.
    Ask(usize, bool),
    /// A failure of the read that a replica has under way.
    Fail(usize),
    /// A replica reads what it has begun to, or all of it now.
    Read(usize),
    /// A leader tells what it has to tell.
    Tell(usize),
    /// A leader tells something, and does not hear that it has.
    TellUnheard(usize),
    /// A follower takes in what is told. False if Auth0 is too slow to be read before.
    Follow(usize, bool),
    /// A leader takes in what was sent to it.
    TakeIn(usize),
    /// Time passes, in milliseconds.
    Pass(u64),
    /// Redis is away, or back.
    Turn,
    /// Redis is back, and has forgotten all.
    Forget,
    /// One of the last entries cannot be opened.
    Tamper(usize),
    /// A replica ends, and another starts in its place.
    Replace(usize),
}

/// Things that happen, in any order.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let replica = 0..REPLICAS;
    prop_oneof![
        4 => (1_usize..5).prop_map(Step::Arrive),
        2 => replica.clone().prop_map(Step::Push),
        1 => Just(Step::Release),
        6 => replica.clone().prop_map(Step::Hold),
        4 => (replica.clone(), any::<bool>()).prop_map(|(replica, is_answered)| Step::Ask(replica, is_answered)),
        1 => replica.clone().prop_map(Step::Fail),
        8 => replica.clone().prop_map(Step::Read),
        6 => replica.clone().prop_map(Step::Tell),
        1 => replica.clone().prop_map(Step::TellUnheard),
        4 => (replica.clone(), any::<bool>()).prop_map(|(replica, reads)| Step::Follow(replica, reads)),
        3 => replica.clone().prop_map(Step::TakeIn),
        5 => (1_u64..900).prop_map(Step::Pass),
        1 => Just(Step::Turn),
        1 => Just(Step::Forget),
        4 => (0_usize..4).prop_map(Step::Tamper),
        1 => replica.prop_map(Step::Replace),
    ]
}
