//! Follows the framing of an HTTP/1 connection, strictly, before the parser proper sees the bytes.
//!
//! The parser behind it resolves what this refuses: a `Content-Length` beside a `Transfer-Encoding` is dropped there
//! without a trace, a bare LF ends a line. Between two parties that resolve such things differently a request can be
//! smuggled, so nothing ambiguous passes. What this lets through is still parsed in full by the parser; if the two ever
//! disagreed, the parser's view holds, and this one's only power is to refuse.

/// Why a request is refused, as the status that answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400: malformed or ambiguous.
    Malformed,
    /// 408: the client was too slow.
    TooSlow,
    /// 413: the body is too large.
    BodyTooLarge,
    /// 414: the request line is too long.
    UriTooLong,
    /// 417: an expectation other than `100-continue`.
    Expectation,
    /// 431: the head is too large.
    HeadTooLarge,
    /// 501: a method or transfer coding that is not served.
    NotImplemented,
    /// 505: a version other than 1.0 and 1.1.
    Version,
}

impl Refusal {
    /// The status.
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::TooSlow => 408,
            Self::BodyTooLarge => 413,
            Self::UriTooLong => 414,
            Self::Expectation => 417,
            Self::HeadTooLarge => 431,
            Self::NotImplemented => 501,
            Self::Version => 505,
        }
    }
}

/// Longest line of a chunk's size with its extensions.
const CHUNK_LINE: usize = 256;
/// Longest trailer section.
const TRAILERS: usize = 8192;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In a head; `line` is where the current line begins.
    Head,
    /// So much of a body is to come.
    Body(u64),
    ChunkSize,
    ChunkData(u64),
    /// The line end after a chunk's data; so many of its two bytes are to come.
    ChunkEnd(u8),
    Trailers,
    /// After a request for an upgrade: it is not known what these bytes are.
    Opaque,
}

/// How far a line of a trailer section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trailer {
    Start,
    Name,
    Value,
}

impl Trailer {
    /// Where this byte, no line end, leads.
    fn after(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Name, b':') => Some(Self::Value),
            (Self::Start | Self::Name, _) => is_token(byte).then_some(Self::Name),
            (Self::Value, _) => ((byte >= 0x20 || byte == b'\t') && byte != 0x7f).then_some(Self::Value),
        }
    }
}

/// What a head says about what follows it.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    lines: usize,
    is_http_10: bool,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

/// Follows one connection. Hand it the bytes not yet let through, in order.
#[derive(Debug)]
pub struct Scanner {
    state: State,
    head: Head,
    /// Where the current line begins and up to where it has been searched, in bytes of the head.
    line: usize,
    searched: usize,
    /// Bytes of the current chunk line or trailer section so far.
    section: usize,
    /// Trailer lines so far, and how far the present one is.
    trailers: usize,
    trailer: Trailer,
    last_was_cr: bool,
    chunk: u64,
    chunk_digits: u8,
    in_extension: bool,
    heads: u64,
    is_blind: bool,
    most_head_bytes: usize,
    most_headers: usize,
}

/// How far the bytes handed over may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// So many may pass: whole heads and parts of bodies. The rest is to be handed over again, with more behind it.
    pub bytes: usize,
    /// What follows those is refused.
    pub refusal: Option<Refusal>,
}

impl Scanner {
    /// At the beginning of a connection.
    pub fn new(most_head_bytes: usize, most_headers: usize) -> Self {
        Self {
            state: State::Head,
            head: Head::default(),
            line: 0,
            searched: 0,
            section: 0,
            trailers: 0,
            trailer: Trailer::Start,
            last_was_cr: false,
            chunk: 0,
            chunk_digits: 0,
            in_extension: false,
            heads: 0,
            is_blind: false,
            most_head_bytes,
            most_headers,
        }
    }

    /// Heads let through so far.
    pub fn heads(&self) -> u64 {
        self.heads
    }

    /// Whether a body, or what may be one, is being passed.
    pub fn in_body(&self) -> bool {
        !matches!(self.state, State::Head | State::Opaque)
    }

    /// Whether the last head asked for an upgrade, so that bytes pass unseen.
    pub fn is_opaque(&self) -> bool {
        self.state == State::Opaque
    }

    /// Whether bytes have passed unseen, so that it is not known where the next head begins.
    pub fn is_blind(&self) -> bool {
        self.is_blind
    }

    /// The upgrade was declined: a head comes next.
    pub fn resume(&mut self) {
        if self.is_opaque() {
            self.start_head();
        }
    }

    /// Takes in `bytes`, which begin where what was let through ended.
    pub fn feed(&mut self, bytes: &[u8]) -> Passed {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            if rest.is_empty() && self.state != State::Head {
                return Passed { bytes: at, refusal: None };
            }
            let step = match self.state {
                State::Head => match self.scan_head(rest) {
                    Ok(Some(length)) => Ok(length),
                    Ok(None) => return Passed { bytes: at, refusal: None },
                    Err(refusal) => Err(refusal),
                },
                State::Body(left) => Ok(self.pass(left, rest.len(), State::Body)),
                State::ChunkData(left) => Ok(self.pass(left, rest.len(), State::ChunkData)),
                State::ChunkEnd(left) => self.chunk_end(left, rest),
                State::ChunkSize => self.chunk_size(rest),
                State::Trailers => self.trailers(rest),
                State::Opaque => {
                    self.is_blind = true;
                    Ok(rest.len())
                }
            };
            match step {
                Ok(length) => at += length,
                Err(refusal) => return Passed { bytes: at, refusal: Some(refusal) },
            }
        }
    }

    fn start_head(&mut self) {
        self.state = State::Head;
        self.head = Head::default();
        (self.line, self.searched) = (0, 0);
    }

    /// The length of the head at the beginning of `bytes`, once it is whole.
    fn scan_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Refusal> {
        while let Some(found) = bytes.get(self.searched..).and_then(|rest| memchr::memchr(b'\n', rest)) {
            let end = self.searched + found;
            // Before anything else about the line, for its end may not have come when its length is too much already.
            if end >= self.most_head_bytes {
                return Err(if self.head.lines == 0 { Refusal::UriTooLong } else { Refusal::HeadTooLarge });
            }
            let line = bytes[self.line..end].strip_suffix(b"\r").ok_or(Refusal::Malformed)?;
            (self.line, self.searched) = (end + 1, end + 1);
            if !line.is_empty() {
                self.head.lines += 1;
                if self.head.lines == 1 { self.request_line(line)? } else { self.header_line(line)? }
            } else if self.head.lines > 0 {
                self.end_head()?;
                return Ok(Some(end + 1));
            } else if end > 1 {
                // One empty line before a request is tolerated (RFC 9112 §2.2), more are not.
                return Err(Refusal::Malformed);
            }
        }
        self.searched = bytes.len();
        if bytes.len() > self.most_head_bytes {
            return Err(if self.head.lines == 0 { Refusal::UriTooLong } else { Refusal::HeadTooLarge });
        }
        Ok(None)
    }

    fn request_line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        let mut parts = line.split(|b| *b == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refusal::Malformed);
        };
        if method.is_empty() || !method.iter().all(|b| is_token(*b)) || !is_target(target) {
            return Err(Refusal::Malformed);
        }
        match version {
            b"HTTP/1.1" => Ok(()),
            b"HTTP/1.0" => {
                self.head.is_http_10 = true;
                Ok(())
            }
            _ if version.starts_with(b"HTTP/") => Err(Refusal::Version),
            _ => Err(Refusal::Malformed),
        }
    }

    fn header_line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        if self.head.lines > self.most_headers + 1 {
            return Err(Refusal::HeadTooLarge);
        }
        let colon = memchr::memchr(b':', line).ok_or(Refusal::Malformed)?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        // A name is a token: no space before the colon, none at the start (obs-fold).
        if name.is_empty() || !name.iter().all(|b| is_token(*b)) {
            return Err(Refusal::Malformed);
        }
        if value.iter().any(|b| (*b < 0x20 && *b != b'\t') || *b == 0x7f) {
            return Err(Refusal::Malformed);
        }
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let digits = value.trim_ascii();
                let sound = !digits.is_empty() && digits.len() <= 18 && digits.iter().all(u8::is_ascii_digit);
                // Even an equal second length is refused: nothing sound sends one.
                if !sound || self.head.length.is_some() {
                    return Err(Refusal::Malformed);
                }
                self.head.length = Some(digits.iter().fold(0, |sum, b| sum * 10 + u64::from(b - b'0')));
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if !value.trim_ascii().eq_ignore_ascii_case(b"chunked") || self.head.chunked {
                    return Err(Refusal::Malformed);
                }
                self.head.chunked = true;
            }
            7 if name.eq_ignore_ascii_case(b"upgrade") => self.head.upgrade = true,
            _ => {}
        }
        Ok(())
    }

    fn end_head(&mut self) -> Result<(), Refusal> {
        let head = self.head;
        if head.chunked && (head.length.is_some() || head.is_http_10) {
            return Err(Refusal::Malformed);
        }
        self.heads += 1;
        self.start_head();
        if head.chunked {
            self.start_chunk();
        } else if let Some(length @ 1..) = head.length {
            self.state = State::Body(length);
        } else if head.upgrade && !head.is_http_10 {
            self.state = State::Opaque;
        }
        Ok(())
    }

    fn pass(&mut self, left: u64, available: usize, state: fn(u64) -> State) -> usize {
        let taken = left.min(available as u64);
        if taken < left {
            self.state = state(left - taken);
        } else if let State::ChunkData(_) = self.state {
            self.state = State::ChunkEnd(2);
        } else {
            self.start_head();
        }
        taken as usize
    }

    fn chunk_end(&mut self, left: u8, bytes: &[u8]) -> Result<usize, Refusal> {
        let expected = if left == 2 { b'\r' } else { b'\n' };
        if bytes[0] != expected {
            return Err(Refusal::Malformed);
        }
        if left == 2 {
            self.state = State::ChunkEnd(1);
        } else {
            self.start_chunk();
        }
        Ok(1)
    }

    fn start_chunk(&mut self) {
        self.state = State::ChunkSize;
        (self.chunk, self.chunk_digits, self.section) = (0, 0, 0);
        (self.in_extension, self.last_was_cr) = (false, false);
    }

    fn chunk_size(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        for (i, &byte) in bytes.iter().enumerate() {
            self.section += 1;
            if self.section > CHUNK_LINE {
                return Err(Refusal::Malformed);
            }
            if self.last_was_cr {
                if byte != b'\n' || self.chunk_digits == 0 {
                    return Err(Refusal::Malformed);
                }
                self.last_was_cr = false;
                if self.chunk > 0 {
                    self.state = State::ChunkData(self.chunk);
                } else {
                    self.state = State::Trailers;
                    (self.section, self.trailers, self.trailer) = (0, 0, Trailer::Start);
                }
                return Ok(i + 1);
            }
            match byte {
                b'\r' => self.last_was_cr = true,
                _ if self.in_extension => {
                    if (byte < 0x20 && byte != b'\t') || byte == 0x7f {
                        return Err(Refusal::Malformed);
                    }
                }
                b';' if self.chunk_digits > 0 => self.in_extension = true,
                _ => {
                    let digit = char::from(byte).to_digit(16).ok_or(Refusal::Malformed)?;
                    self.chunk_digits += 1;
                    if self.chunk_digits > 15 {
                        return Err(Refusal::Malformed);
                    }
                    self.chunk = self.chunk << 4 | u64::from(digit);
                }
            }
        }
        Ok(bytes.len())
    }

    fn trailers(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        for (i, &byte) in bytes.iter().enumerate() {
            self.section += 1;
            if self.section > TRAILERS {
                return Err(Refusal::HeadTooLarge);
            }
            match byte {
                b'\n' if self.last_was_cr => {
                    self.last_was_cr = false;
                    match std::mem::replace(&mut self.trailer, Trailer::Start) {
                        Trailer::Start => {
                            self.start_head();
                            return Ok(i + 1);
                        }
                        Trailer::Name => return Err(Refusal::Malformed),
                        Trailer::Value => self.trailers += 1,
                    }
                    if self.trailers > self.most_headers {
                        return Err(Refusal::HeadTooLarge);
                    }
                }
                _ if self.last_was_cr => return Err(Refusal::Malformed),
                b'\r' => self.last_was_cr = true,
                _ => self.trailer = self.trailer.after(byte).ok_or(Refusal::Malformed)?,
            }
        }
        Ok(bytes.len())
    }
}

/// Whether a request may be for this: what the parser behind would take, and no fragment, which it would drop.
fn is_target(target: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"/?&=%._~-+,:;@!$'()*".contains(b);
    // In the usual case a look at each byte is enough.
    (target.starts_with(b"/") && target.iter().all(plain))
        || (!target.contains(&b'#') && hyper::Uri::try_from(target).is_ok())
}

/// `tchar` of RFC 9110 §5.6.2.
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
