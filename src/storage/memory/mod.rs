//! The store in memory: tests and the simulator.
