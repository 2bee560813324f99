//! Who waits for which answer: calls to the proxy's clusters, HTTP and gRPC, routed to whoever asked.
//!
//! The proxy numbers the calls, and says with each answer which it is of. Who asked is data of the
//! caller's (`A`), which is given back with the answer, once.

use crate::host::{Calls, GrpcCall, HostError, HttpCall};

/// How many calls one worker may have under way; one more is not made.
pub const MOST: usize = 1024;

/// The status of a call that is not made since too many are under way: the ABI's for an internal
/// failure.
const FULL: HostError = HostError(10);

/// The calls that one worker has under way, and who asked.
#[derive(Debug)]
pub struct Pending<A>(Vec<(u32, A)>);

// Not derived: that would ask for a default of whoever asks.
impl<A> Default for Pending<A> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<A> Pending<A> {
    /// Makes a request for `asker`; answers its number.
    ///
    /// # Errors
    /// The host did not take it, or [`MOST`] calls are under way.
    pub fn http(&mut self, host: &dyn Calls, call: &HttpCall, asker: A) -> Result<u32, HostError> {
        self.note(asker, || host.dispatch(call))
    }

    /// Makes a call of gRPC for `asker`; answers its number.
    ///
    /// # Errors
    /// As for [`Self::http`].
    pub fn grpc(&mut self, host: &dyn Calls, call: &GrpcCall, asker: A) -> Result<u32, HostError> {
        self.note(asker, || host.dispatch_grpc(call))
    }

    /// Who asked for the answer of that number; none where nobody did, or no longer waits.
    pub fn answered(&mut self, number: u32) -> Option<A> {
        let at = self.0.iter().position(|(own, _)| *own == number)?;
        Some(self.0.swap_remove(at).1)
    }

    /// Forgets a call: its answer, should it come, is nobody's.
    pub fn forget(&mut self, number: u32) {
        self.0.retain(|(own, _)| *own != number);
    }

    fn note(
        &mut self,
        asker: A,
        make: impl FnOnce() -> Result<u32, HostError>,
    ) -> Result<u32, HostError> {
        if self.0.len() >= MOST {
            return Err(FULL);
        }
        let number = make()?;
        // A number that comes again is of the later call.
        self.forget(number);
        self.0.push((number, asker));
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::host::UNIMPLEMENTED;
    use crate::memory::{Call, MemoryHost};

    #[derive(Debug, PartialEq)]
    enum Asker {
        Keys,
        Limits(&'static str),
    }

    fn request() -> HttpCall {
        HttpCall {
            cluster: "idp".to_owned(),
            method: "POST",
            scheme: "https".to_owned(),
            authority: "idp.example".to_owned(),
            path: "/introspect".to_owned(),
            fields: vec![(
                "content-type",
                "application/x-www-form-urlencoded".to_owned(),
            )],
            body: b"token=t".to_vec(),
            timeout: Duration::from_secs(1),
        }
    }

    fn rate() -> GrpcCall {
        GrpcCall {
            cluster: "limits".to_owned(),
            service: "envoy.service.ratelimit.v3.RateLimitService",
            method: "ShouldRateLimit",
            message: vec![10, 1, 97],
            timeout: Duration::from_millis(100),
        }
    }

    #[test]
    fn each_answer_goes_to_whoever_asked_and_only_once() {
        let host = MemoryHost::default();
        let mut pending = Pending::default();
        let keys = pending.http(&host, &request(), Asker::Keys).unwrap();
        let one = pending.grpc(&host, &rate(), Asker::Limits("one")).unwrap();
        let other = pending
            .grpc(&host, &rate(), Asker::Limits("other"))
            .unwrap();
        assert_eq!(host.calls(), [request()]);
        assert_eq!(host.grpc_calls(), [rate(), rate()]);
        assert_eq!(pending.answered(other), Some(Asker::Limits("other")));
        assert_eq!(pending.answered(keys), Some(Asker::Keys));
        assert_eq!(pending.answered(keys), None);
        pending.forget(one);
        assert_eq!(pending.answered(one), None);
        assert_eq!(pending.answered(99), None);
    }

    #[test]
    fn a_call_that_is_not_made_is_nobodys() {
        let host = MemoryHost::default();
        host.refuse(Call::Dispatch);
        let mut pending = Pending::default();
        assert_eq!(pending.http(&host, &request(), 1), Err(HostError(2)));
        host.permit(Call::Dispatch);
        for asker in 0..MOST {
            pending.http(&host, &request(), asker).unwrap();
        }
        assert_eq!(pending.http(&host, &request(), MOST), Err(FULL));
        assert_eq!(host.calls().len(), MOST);
        assert_eq!(pending.answered(1), Some(0));
        assert!(pending.http(&host, &request(), MOST).is_ok());
    }

    #[test]
    fn a_host_that_speaks_no_grpc_says_so() {
        struct Plain;
        impl Calls for Plain {
            fn call_foreign_function(&self, _: &str, _: &[u8]) -> Option<Vec<u8>> {
                None
            }
            fn dispatch(&self, _: &HttpCall) -> Result<u32, HostError> {
                Ok(1)
            }
            fn call_headers(&self) -> crate::request::Headers {
                crate::request::Headers::default()
            }
            fn call_body(&self, _: usize) -> Vec<u8> {
                Vec::new()
            }
        }
        let asked = Pending::default().grpc(&Plain, &rate(), ());
        assert_eq!(asked, Err(HostError(UNIMPLEMENTED)));
    }
}
