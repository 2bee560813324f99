//! The shell around the core: contexts and raw host calls. Nothing is decided here.
