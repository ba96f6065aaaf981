//! exetrail: when a program starts on Linux, what does an observer see, in which order, and under
//! whose name?

pub mod baseline;
pub mod fetch;
pub mod guest;
pub mod observer;
pub mod project;
pub mod scenario;
pub mod sys;
pub mod trail;
pub mod vm;
pub mod wire;
