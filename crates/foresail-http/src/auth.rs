//! Who is asking.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;

use crate::Error;

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What is put into the `Authorization` header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// Nothing.
    #[default]
    None,
    /// A bearer token (RFC 6750).
    Bearer(Secret),
    /// A user and a password (RFC 7617).
    Basic {
        /// Without a colon.
        user: String,
        /// Any text.
        password: Secret,
    },
}

impl Auth {
    /// The header's value, marked as not to be printed.
    pub(crate) fn header(&self) -> Result<Option<HeaderValue>, Error> {
        let text = match self {
            Self::None => return Ok(None),
            Self::Bearer(token) => format!("Bearer {}", token.reveal().trim()),
            Self::Basic { user, .. } if user.contains(':') => {
                return Err(Error::BadOption { option: "user", expected: "a name without a colon" });
            }
            Self::Basic { user, password } => {
                format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.reveal())))
            }
        };
        let bad = |_| Error::BadOption { option: "token", expected: "visible ASCII characters" };
        let mut value = HeaderValue::from_str(&text).map_err(bad)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_those_of_the_standards_or_refused() {
        let basic =
            |user: &str, password: &str| Auth::Basic { user: user.to_owned(), password: password.to_owned().into() };
        let bearer = |token: &str| Auth::Bearer(token.to_owned().into());
        for (auth, expected) in [
            (Auth::None, Ok(None)),
            (bearer("abc\n"), Ok(Some("Bearer abc"))),
            (bearer("a\nb: c"), Err(())),
            (basic("Aladdin", "open sesame"), Ok(Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="))),
            (basic("a:b", "c"), Err(())),
        ] {
            let got = auth.header();
            let got = got.as_ref().map(|v| v.as_ref().map(|v| v.to_str().unwrap())).map_err(|_| ());
            assert_eq!(got, expected);
        }
        assert_eq!(format!("{:?}", bearer("abc")), "Bearer(Secret(…))");
    }
}
