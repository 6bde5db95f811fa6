//! Positions, cash, marks and fees in exact integers.
