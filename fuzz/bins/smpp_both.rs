//! Fuzzes `smpp_both` with libFuzzer; what it checks is in `targets.rs`.

#![no_main]

#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::run("smpp_both", data));
