#![doc = "."]
fn main() {}
