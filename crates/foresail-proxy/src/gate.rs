//! The bytes of a client's HTTP/1 connection on their way to the parser: only whole, sound heads pass.
//!
//! A head that is refused, or not finished in time, is replaced by a made-up request that closes the connection; the
//! handler recognises it by its number and answers with the status and a request id, which the parser by itself cannot.
//! In the usual case, a whole head in one read, bytes are looked at where they lie and nothing is copied.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::clock;
use crate::scan::Scanner;
use crate::watch::Watch;

const REFUSED: &[u8] = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n";

pub(crate) struct Gate<T> {
    io: T,
    watch: Rc<Watch>,
    scanner: Scanner,
    /// What may not pass yet: the beginning of a head. `passing` bytes at its front may.
    held: Vec<u8>,
    passing: usize,
    /// The made-up request has been handed over.
    is_shut: bool,
}

impl<T> Gate<T> {
    pub(crate) fn new(io: T, watch: Rc<Watch>, scanner: Scanner) -> Self {
        Self { io, watch, scanner, held: Vec::new(), passing: 0, is_shut: false }
    }

    /// Hands out what may pass of what is held.
    fn pass_held(&mut self, buf: &mut ReadBuf<'_>) {
        let count = self.passing.min(buf.remaining());
        buf.put_slice(&self.held[..count]);
        self.held.drain(..count);
        self.passing -= count;
        if self.held.is_empty() && self.held.capacity() > 4096 {
            self.held = Vec::new();
        }
    }

    /// Scans what is held from where it has not passed.
    fn scan_held(&mut self) {
        let passed = self.scanner.feed(&self.held[self.passing..]);
        self.watch.is_blind.set(self.scanner.is_blind());
        self.passing += passed.bytes;
        if let Some(why) = passed.refusal {
            self.refuse(why);
        }
    }

    fn refuse(&mut self, why: crate::scan::Refusal) {
        self.held.truncate(self.passing);
        if self.scanner.in_body() {
            // Mid-body there is a handler to tell; the body ends in an error.
            self.watch.body_refusal.set(Some(why));
            self.is_shut = true;
        }
        self.watch.refuse(self.scanner.heads() + 1, why);
    }

    fn note_progress(&self) {
        let partial = self.held.len() > self.passing;
        if partial && self.watch.head_since.get().is_none() {
            self.watch.head_since.set(Some(clock::now()));
        } else if !partial {
            self.watch.head_since.set(None);
        }
    }
}

impl<T: AsyncRead + Unpin> Gate<T> {
    fn poll_pass(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.watch.is_raw.get() {
                if self.held.is_empty() {
                    return Pin::new(&mut self.io).poll_read(cx, buf);
                }
                self.passing = self.held.len();
            }
            if self.watch.resume.take() {
                if self.watch.is_blind.get() {
                    // Where the next head begins is anyone's guess.
                    self.watch.drain();
                }
                self.scanner.resume();
            }
            if self.passing > 0 {
                self.pass_held(buf);
                return Poll::Ready(Ok(()));
            }
            if self.is_shut {
                return if self.scanner.in_body() { Poll::Ready(Err(broken())) } else { Poll::Pending };
            }
            if self.watch.is_refusing() {
                self.held.clear();
                self.held.extend_from_slice(REFUSED);
                self.passing = REFUSED.len();
                self.is_shut = true;
                continue;
            }
            if self.watch.body_refusal.get().is_some() {
                return Poll::Ready(Err(broken()));
            }
            let before = buf.filled().len();
            let Poll::Ready(read) = Pin::new(&mut self.io).poll_read(cx, buf) else {
                if self.scanner.in_body() {
                    self.watch.reading.waits(clock::now);
                }
                return Poll::Pending;
            };
            read?;
            let bytes = &buf.filled()[before..];
            if bytes.is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.watch.reading.moved(bytes.len());
            if self.held.is_empty() {
                let passed = self.scanner.feed(bytes);
                self.watch.is_blind.set(self.scanner.is_blind());
                if passed.bytes < bytes.len() && passed.refusal.is_none() {
                    self.held.extend_from_slice(&bytes[passed.bytes..]);
                }
                buf.set_filled(before + passed.bytes);
                if let Some(why) = passed.refusal {
                    self.refuse(why);
                }
                self.note_progress();
                if passed.bytes > 0 {
                    if !self.scanner.in_body() {
                        self.watch.reading.ends();
                    }
                    return Poll::Ready(Ok(()));
                }
            } else {
                self.held.extend_from_slice(bytes);
                buf.set_filled(before);
                self.scan_held();
                self.note_progress();
            }
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Gate<T> {
    /// Ends our side, then reads and forgets what the client still sends until it ends its own.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        self.io.shutdown().await?;
        let mut rest = vec![0; 4096];
        while self.io.read(&mut rest).await? > 0 {}
        Ok(())
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "request body refused")
}

impl<T: AsyncRead + Unpin> AsyncRead for Gate<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_pass(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> Gate<T> {
    fn note_write(&self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Ready(Ok(bytes)) => self.watch.writing.moved(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.watch.writing.waits(clock::now),
        }
        result
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Gate<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.note_write(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.note_write(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.io).poll_flush(cx));
        if !self.watch.writing_is_pending() {
            self.watch.writing.ends();
        }
        Poll::Ready(result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
