//! Which Rust type stands behind a type number: found once, checked with every use.

use std::any::{TypeId, type_name};
use std::sync::OnceLock;

use super::envelope::BusEvent;
use crate::error::{Error, Result};
use crate::limits::BUS_TYPES_MAX;

/// The types of one bus: an open-addressed table whose rows are written once.
#[derive(Debug)]
pub(super) struct Registry {
    rows: Box<[OnceLock<Row>]>,
}

#[derive(Debug)]
struct Row {
    id: u32,
    type_id: TypeId,
    type_name: &'static str,
}

impl Registry {
    pub(super) fn new() -> Self {
        Self { rows: (0..BUS_TYPES_MAX).map(|_| OnceLock::new()).collect() }
    }

    /// Enters `E`, or finds it: a look at one row once it is there.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] when another type has the same number, or there are too many types.
    #[inline]
    pub(super) fn check<E: BusEvent>(&self) -> Result<()> {
        let begin = E::ID.wrapping_mul(0x9e37_79b1) as usize;
        for offset in 0..self.rows.len() {
            let row = &self.rows[begin.wrapping_add(offset) & (self.rows.len() - 1)];
            let row = row.get_or_init(|| Row {
                id: E::ID,
                type_id: TypeId::of::<E>(),
                type_name: type_name::<E>(),
            });
            if row.id == E::ID {
                return if row.type_id == TypeId::of::<E>() {
                    Ok(())
                } else {
                    Err(clash::<E>(row))
                };
            }
        }
        let what = format!("`{}` is one type too many on its bus", type_name::<E>());
        Err(Error::usage(what, format!("use at most {BUS_TYPES_MAX} types on one bus")))
    }
}

#[cold]
fn clash<E: BusEvent>(row: &Row) -> Error {
    let what = format!("`{}` and `{}` are both type {}", row.type_name, type_name::<E>(), row.id);
    Error::usage(what, "give each type of event a `BusEvent::ID` of its own")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
    #[repr(transparent)]
    struct Numbered<const ID: u32>(u64);

    impl<const ID: u32> BusEvent for Numbered<ID> {
        const ID: u32 = ID;
    }

    #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
    #[repr(C)]
    struct Impostor(u64);

    impl BusEvent for Impostor {
        const ID: u32 = 256;
    }

    #[test]
    fn types_whose_numbers_meet_in_one_row_are_told_apart() {
        let registry = Registry::new();
        for _ in 0..2 {
            registry.check::<Numbered<0>>().unwrap();
            registry.check::<Numbered<256>>().unwrap();
            registry.check::<Numbered<512>>().unwrap();
        }
        let error = registry.check::<Impostor>().unwrap_err().to_string();
        assert!(error.contains("are both type 256: give each"), "{error}");
    }
}
