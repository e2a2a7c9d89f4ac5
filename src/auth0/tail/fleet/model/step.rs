//! Things that happen to a fleet.

use proptest::prelude::*;

use super::REPLICAS;

/// The outcome of a command to Redis.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    Heard,
    /// A command that is run, and nobody hears of it.
    Unheard,
    /// A command that is run some time later, and nobody hears of it.
    Late,
}

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
    /// A replica asks for the lease.
    AskForLease(usize, Outcome),
    /// A replica hears the answer to that, or finds that there is none.
    HearOfLease(usize),
    /// A replica begins to read, if it is to. True if the answer is that of this moment, whenever it comes.
    Ask(usize, bool),
    /// A failure of the read that a replica has under way.
    Fail(usize),
    /// A replica reads what it has begun to, or all of it now.
    Read(usize),
    /// A leader is to tell that it is there.
    Announce(usize),
    /// A leader tells what it has to tell, or the first of it if it does not hear that it has.
    Tell(usize, Outcome),
    /// Redis runs what it has got some time ago.
    CatchUp,
    /// A follower takes in what is told. False if Auth0 is too slow to be read before.
    Follow(usize, bool),
    /// A leader takes in what was sent to it.
    TakeIn(usize),
    /// Time passes, in milliseconds.
    Pass(u64),
    /// Redis is away, or back.
    Turn,
    /// Redis forgets all, and its clock is so many milliseconds behind.
    Forget(u64),
    /// Redis forgets the lease, or the stream, or what was sent to the leader.
    LoseLease,
    LoseStream,
    LoseInbox,
    /// The stream loses its first entries.
    LoseFirst(usize),
    /// The stream loses its last entries, as when another Redis takes over.
    LoseLast(usize),
    /// An entry among the last cannot be opened.
    Tamper(usize),
    /// A replica ends, and another starts in its place.
    Replace(usize),
}

/// Things that happen, in any order.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let replica = || 0..REPLICAS;
    let outcome = || prop_oneof![2 => Just(Outcome::Heard), 1 => Just(Outcome::Unheard), 1 => Just(Outcome::Late)];
    let work = prop_oneof![
        4 => (1_usize..5).prop_map(Step::Arrive),
        2 => replica().prop_map(Step::Push),
        1 => Just(Step::Release),
        6 => replica().prop_map(Step::Hold),
        3 => (replica(), outcome()).prop_map(|(replica, outcome)| Step::AskForLease(replica, outcome)),
        3 => replica().prop_map(Step::HearOfLease),
        4 => (replica(), any::<bool>()).prop_map(|(replica, is_answered)| Step::Ask(replica, is_answered)),
        1 => replica().prop_map(Step::Fail),
        8 => replica().prop_map(Step::Read),
        1 => replica().prop_map(Step::Announce),
        8 => (replica(), outcome()).prop_map(|(replica, outcome)| Step::Tell(replica, outcome)),
        2 => Just(Step::CatchUp),
        5 => (replica(), any::<bool>()).prop_map(|(replica, reads)| Step::Follow(replica, reads)),
        3 => replica().prop_map(Step::TakeIn),
    ];
    let trouble = prop_oneof![
        5 => (1_u64..900).prop_map(Step::Pass),
        2 => (1_500_u64..6_000).prop_map(Step::Pass),
        1 => Just(Step::Turn),
        1 => prop_oneof![Just(0), 0_u64..60_000].prop_map(Step::Forget),
        1 => Just(Step::LoseLease),
        2 => Just(Step::LoseStream),
        1 => Just(Step::LoseInbox),
        1 => (1_usize..4).prop_map(Step::LoseFirst),
        1 => (1_usize..4).prop_map(Step::LoseLast),
        3 => (0_usize..4).prop_map(Step::Tamper),
        1 => replica().prop_map(Step::Replace),
    ];
    prop_oneof![4 => work, 1 => trouble]
}

impl Step {
    /// The kind of trouble that it is, as a bit; 0 if it is none.
    pub(super) fn trouble(&self) -> u16 {
        match self {
            Self::AskForLease(_, Outcome::Unheard | Outcome::Late) => 1,
            Self::Tell(_, Outcome::Unheard | Outcome::Late) => 1 << 1,
            Self::Fail(_) => 1 << 2,
            Self::Turn => 1 << 3,
            Self::Forget(_) => 1 << 4,
            Self::LoseLease => 1 << 5,
            Self::LoseStream => 1 << 6,
            Self::LoseInbox => 1 << 7,
            Self::LoseFirst(_) => 1 << 8,
            Self::LoseLast(_) => 1 << 9,
            Self::Tamper(_) => 1 << 10,
            Self::Replace(_) => 1 << 11,
            Self::Pass(time) if *time >= 1_500 => 1 << 12,
            _ => 0,
        }
    }
}
