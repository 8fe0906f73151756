//! Measurements of the layers beside what one would write by hand, in `benches`. They need servers: `cargo xtask bench`
//! starts them. Only ratios within one run mean anything; nothing that a user would call lives here.
