//! placeholder
pub fn measure(_: Option<u32>) {}
