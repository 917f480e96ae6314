//! A token that cannot be printed, serialised or left behind in memory.

use std::fmt;

use azure_core::credentials::{AccessToken, Secret};
use time::OffsetDateTime;
use zeroize::Zeroizing;

/// An access token.
///
/// The SDK's own type implements `Serialize` and is not wiped; it is made from this one for a single request
/// and dropped with it.
pub struct Token {
    text: Zeroizing<String>,
    expires: OffsetDateTime,
}

impl Token {
    /// Takes over a token of the SDK.
    pub(crate) fn new(token: &AccessToken) -> Self {
        Self {
            text: Zeroizing::new(token.token.secret().to_owned()),
            expires: token.expires_on,
        }
    }

    /// When it stops being valid.
    #[must_use]
    pub const fn expires(&self) -> OffsetDateTime {
        self.expires
    }

    /// A copy for one request.
    pub(crate) fn lend(&self) -> AccessToken {
        AccessToken::new(Secret::new(self.text.to_string()), self.expires)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Token")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_shows_its_expiry_and_nothing_else() {
        let token = Token::new(&AccessToken::new("canary", OffsetDateTime::UNIX_EPOCH));
        let shown = format!("{token:?} {token:#?}");
        assert!(
            shown.contains("1970") && !shown.contains("canary"),
            "{shown}"
        );
    }
}
