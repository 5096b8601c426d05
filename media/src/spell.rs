//! Trouble that repeats is logged once.

/// Says whether trouble that repeats is new, so that a spell of it is logged once.
#[derive(Debug, Default)]
pub(crate) struct Spell(bool);

impl Spell {
    /// It happened; true the first time.
    pub(crate) fn begins(&mut self) -> bool {
        !std::mem::replace(&mut self.0, true)
    }

    /// It's over.
    pub(crate) fn end(&mut self) {
        self.0 = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begins_once_until_it_ends() {
        let mut spell = Spell::default();
        assert!(spell.begins() && !spell.begins());
        spell.end();
        assert!(spell.begins());
    }
}
