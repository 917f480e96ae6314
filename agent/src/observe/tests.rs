//! Whole policies over hosts in memory.
