//! Requests of one pattern.

/// A key for the pattern of a request: its method and path, without the query, every segment that holds a digit counting as any
/// (`/users/7/cart` and `/users/42/cart` are alike, and so are two UUIDs). FNV-1a (Fowler, Noll and Vo), O(length), allocates
/// nothing.
pub fn path_pattern(method: &str, target: &str) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let take = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    let mut hash = method.bytes().fold(BASIS, take);
    let path = target.bytes().take_while(|b| !matches!(b, b'?' | b'#'));
    // The hash of a segment so far, and whether it holds a digit.
    let mut segment = take(hash, b' ');
    let mut is_any = false;
    for byte in path {
        if byte == b'/' {
            hash = take(if is_any { take(hash, b'*') } else { segment }, b'/');
            (segment, is_any) = (hash, false);
        } else {
            is_any |= byte.is_ascii_digit();
            segment = take(segment, byte);
        }
    }
    if is_any { take(hash, b'*') } else { segment }
}

/// Longest name of a pattern, bytes.
const LONGEST: usize = 80;

/// What people call the pattern that [`path_pattern`] keys: method and path without the query, `*` for every segment that holds a
/// digit, cut off after 80 bytes. What tells one user, order or token from another is left out by that.
pub fn pattern_name(method: &str, target: &str) -> String {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let mut name = format!("{method} ");
    for (i, segment) in path.split('/').enumerate() {
        if i > 0 {
            name.push('/');
        }
        name.push_str(if segment.bytes().any(|b| b.is_ascii_digit()) { "*" } else { segment });
        if name.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
            name.truncate(end);
            name.push('…');
            break;
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_leave_out_what_varies() {
        for (method, target, name) in [
            ("GET", "/users/7/cart?x=1", "GET /users/*/cart"),
            ("POST", "/o/550e8400-e29b-41d4#top", "POST /o/*"),
            ("GET", "/", "GET /"),
            ("GET", "", "GET "),
        ] {
            assert_eq!(pattern_name(method, target), name);
        }
        let long = pattern_name("GET", &format!("/{}", "ä".repeat(100)));
        assert!(long.len() <= LONGEST + '…'.len_utf8() && long.ends_with('…'), "{long}");
    }

    #[test]
    fn what_varies_within_a_pattern_does_not_tell_patterns_apart() {
        let alike = [
            ("/users/7/cart", "/users/42/cart"),
            ("/users/7", "/users/8?x=1"),
            ("/o/550e8400-e29b-41d4-a716-446655440000", "/o/7d444840-9dc0-11d1-b245-5ffdce74fad2#top"),
        ];
        for (one, other) in alike {
            assert_eq!(path_pattern("GET", one), path_pattern("GET", other), "{one} {other}");
        }
        let mut keys = vec![path_pattern("POST", "/users/7")];
        for target in ["/", "", "/users", "/users/", "/users/7", "/users/7/cart", "/users/me", "/usersme", "/v1/users"]
        {
            keys.push(path_pattern("GET", target));
        }
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }
}
