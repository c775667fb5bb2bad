//! Lists of what can be wrong with a broken peer.

/// An enum `Fault` with these variants, and all of them as a list.
macro_rules! faults {
    ($(#[doc = $about:literal])+; $($(#[doc = $doc:literal])+ $name:ident,)+) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Fault {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Fault {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];
        }
    };
}

pub(crate) use faults;
