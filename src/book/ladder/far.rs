//! The rungs far from the touch, in blocks.

use super::NEAR_RUNGS_MAX;

/// A level's price, as a key, and its handle.
#[derive(Clone, Copy, Debug)]
pub(super) struct FarRung {
    pub(super) key: i64,
    pub(super) level: u32,
}

/// Rungs of a block before it is split.
const BLOCK_RUNGS_MAX: usize = NEAR_RUNGS_MAX / 2;

/// Blocks of rungs, worst first; none is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Far {
    blocks: Vec<Vec<FarRung>>,
    /// Emptied blocks, to be used again: a side that has been deep allocates no more.
    spare: Vec<Vec<FarRung>>,
}

impl Far {
    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The rungs, best last.
    pub(super) fn rungs(&self) -> impl DoubleEndedIterator<Item = &FarRung> {
        self.blocks.iter().flatten()
    }

    /// The level of a key.
    pub(super) fn find(&self, key: i64) -> Option<u32> {
        let block = self.blocks.get(self.block_of(key))?;
        search(block, key).ok().map(|position| block[position].level)
    }

    /// Puts a rung among the others; its key is not there.
    pub(super) fn insert(&mut self, rung: FarRung) {
        if self.blocks.is_empty() {
            return self.push(rung);
        }
        let mut at = self.block_of(rung.key);
        if self.blocks[at].len() == BLOCK_RUNGS_MAX {
            self.split(at);
            at = self.block_of(rung.key);
        }
        let block = &mut self.blocks[at];
        let position = search(block, rung.key).unwrap_or_else(|position| position);
        block.insert(position, rung);
    }

    /// Takes the rung of a key out, if there is one.
    pub(super) fn remove(&mut self, key: i64) {
        let at = self.block_of(key);
        let Some(block) = self.blocks.get_mut(at) else { return };
        if let Ok(position) = search(block, key) {
            block.remove(position);
        }
        if block.is_empty() {
            let block = self.blocks.remove(at);
            self.spare.push(block);
        }
    }

    /// Adds a rung that is better than all others.
    pub(super) fn push(&mut self, rung: FarRung) {
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK_RUNGS_MAX) {
            let block = self.empty_block();
            self.blocks.push(block);
        }
        self.blocks.last_mut().expect("one with room").push(rung);
    }

    /// The best rung.
    pub(super) fn best(&self) -> Option<FarRung> {
        self.blocks.last()?.last().copied()
    }

    /// Takes the best rungs of the best block out, down to a key, and hands them over, best last.
    pub(super) fn pop_down_to(&mut self, key: i64, to: impl FnMut(FarRung)) {
        let Some(block) = self.blocks.last_mut() else { return };
        let start = block.partition_point(|rung| rung.key < key);
        block.drain(start..).for_each(to);
        if block.is_empty() {
            self.spare.extend(self.blocks.pop());
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let blocks = self.blocks.iter().chain(&self.spare);
        let rungs: usize = blocks.map(|block| block.capacity() * size_of::<FarRung>()).sum();
        rungs + (self.blocks.capacity() + self.spare.capacity()) * size_of::<Vec<FarRung>>()
    }

    /// The block in which a key is, or belongs.
    fn block_of(&self, key: i64) -> usize {
        let from_here_on = self.blocks.partition_point(|block| block[0].key <= key);
        from_here_on.saturating_sub(1)
    }

    fn empty_block(&mut self) -> Vec<FarRung> {
        self.spare.pop().unwrap_or_else(|| Vec::with_capacity(BLOCK_RUNGS_MAX))
    }

    /// Parts a full block in two.
    fn split(&mut self, at: usize) {
        let mut upper = self.empty_block();
        upper.extend(self.blocks[at].drain(BLOCK_RUNGS_MAX / 2..));
        self.blocks.insert(at + 1, upper);
    }
}

/// The position of a key in a block, or the one where it belongs.
fn search(block: &[FarRung], key: i64) -> Result<usize, usize> {
    block.binary_search_by_key(&key, |rung| rung.key)
}
