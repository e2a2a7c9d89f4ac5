//! Forms that values have in what replicas share.

/// Durations, as whole microseconds.
pub(super) mod micros {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Its microseconds; as many as the type holds, of one that is longer.
    pub(in super::super) fn whole(time: Duration) -> u64 {
        u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
    }

    pub(in super::super) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        whole(*time).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_micros)
    }

    /// The same, of each class.
    pub(in super::super) mod by_class {
        use std::time::Duration;

        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        use super::super::super::counts::ByClass;

        pub(in super::super::super) fn serialize<S: Serializer>(
            times: &ByClass<Duration>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            times.map(super::whole).serialize(serializer)
        }

        pub(in super::super::super) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<ByClass<Duration>, D::Error> {
            Ok(ByClass::<u64>::deserialize(deserializer)?.map(Duration::from_micros))
        }
    }
}

/// Virtual times, as whole millionths.
pub(super) mod virtual_time {
    const PARTS: f64 = 1e6;

    /// The nearest time that can be written.
    pub(in super::super) fn nearest(time: f64) -> f64 {
        (time * PARTS).round() / PARTS
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole, and not below zero")]
    pub(in super::super) fn whole(time: f64) -> u64 {
        (time * PARTS).round() as u64
    }

    pub(in super::super) fn from_whole(time: u64) -> f64 {
        time as f64 / PARTS
    }
}

/// Bounds, of which JSON cannot write an infinite one.
pub(super) mod bound {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(bound: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        Some(*bound).filter(|bound| bound.is_finite()).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
    }
}
