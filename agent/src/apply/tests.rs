//! Laws of enforcing, over hosts in memory.
