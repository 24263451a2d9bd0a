//! What cannot be generated.

/// Causes of refusal.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option out of its range.
    #[error("option {option}: {found} is not possible; expected {expected}")]
    BadOption {
        /// Its name.
        option: &'static str,
        /// What was given.
        found: String,
        /// What can be given.
        expected: String,
    },
}

/// A closed choice with its spelling on the command line and in files.
macro_rules! choices {
    ($(#[$meta:meta])* $name:ident ($option:literal) { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$variant_meta])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $text,)* })
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::generate::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err($crate::generate::Error::BadOption {
                        option: $option,
                        found: format!("{text:?}"),
                        expected: [$($text),*].join(", "),
                    }),
                }
            }
        }
    };
}
pub(crate) use choices;
