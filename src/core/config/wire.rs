//! The document as it is written: declarations, nothing else. Nothing that decides has anything of
//! them; the command line tool reads what was said in them, where it is not in what it compiles to.

use std::collections::BTreeMap;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde_json::Value;

use super::declare::{object, word};
pub use super::field::Field;
pub use super::quantity::{Rate, Size, Span};
#[cfg(feature = "schema")]
use super::schema;

/// A list whose elements keep their own errors.
pub type List<T> = Field<Vec<Field<T>>>;

object! {
    /// The configuration of Postern, version 1.
    #[schema(transform = schema::document)]
    pub struct Config {
        /// The version of this language: 1.
        #[schema(transform = schema::version)]
        pub version: Field<u64>,
        /// Whether refusals are enforced, or only counted and audited. Default: enforce.
        #[schema(default)]
        pub mode: Field<Mode>,
        /// Who signs JWTs. Default: nobody.
        #[schema(default, length(min = 1))]
        pub issuers: List<Issuer>,
        /// The SPIFFE trust domains whose workloads may call. Default: none.
        #[schema(default, length(min = 1))]
        pub trust_domains: List<TrustDomain>,
        /// How a credential is sent.
        #[schema(default)]
        pub tokens: Field<Tokens>,
        /// The governed clients. Default: none.
        #[schema(default, length(min = 1))]
        pub clients: List<Client>,
        /// Whether callers may call that are not among `clients`. Default: allow where there are no
        /// `clients`, deny otherwise.
        #[schema(default)]
        pub unregistered_clients: Field<Unregistered>,
        /// What requests are let through, first by specificity, never by order. A request that
        /// matches no route is denied.
        #[schema(length(min = 1))]
        pub routes: List<Route>,
        /// What holds for every route that does not say otherwise. Default: nothing.
        #[schema(default)]
        pub defaults: Field<Defaults>,
        /// How much callers may. Default: there are no limits.
        #[schema(default, length(min = 1))]
        pub limits: List<Limit>,
        /// Where limits are counted.
        #[schema(default)]
        pub counters: Field<Counters>,
        /// How callers are judged by what they do. Default: they are not.
        #[schema(default, with = "schema::Risk")]
        pub risk: Field<Value>,
        /// Where callers come from, and what those are told that keep failing.
        #[schema(default)]
        pub source: Field<Source>,
        /// What is written of decisions.
        #[schema(default)]
        pub audit: Field<Audit>,
        /// What a refused caller is told.
        #[schema(default)]
        pub responses: Field<Responses>,
        /// What goes on to the upstream.
        #[schema(default)]
        pub upstream: Field<Upstream>,
    }
}

object! {
    /// What goes on to the upstream.
    pub struct Upstream {
        /// What becomes of fields that tell some upstreams another method or path than the request's.
        /// Default: remove.
        #[schema(default, with = "schema::OverrideForms")]
        pub overrides: Field<Value>,
    }
}

word! {
    /// What becomes of what tells an upstream another method or path, in a word.
    pub enum Overrides {
        /// The fields are taken out; a request with such a query parameter is refused.
        Remove = "remove",
        /// All of it goes on.
        Keep = "keep",
    }
}

object! {
    /// What goes on of what tells an upstream another method or path.
    pub struct KeptOverrides {
        /// The names: x-forwarded-prefix, x-http-method, x-http-method-override, x-method-override,
        /// x-original-method, x-original-uri, x-original-url, x-rewrite-url, and _method for the query
        /// parameter.
        #[schema(length(min = 1), inner(regex(pattern = schema::OVERRIDE)))]
        pub keep: List<String>,
    }
}

word! {
    /// Whether refusals are enforced.
    pub enum Mode {
        /// A refused request is answered by Postern.
        Enforce = "enforce",
        /// A refused request is let through, counted and audited.
        Observe = "observe",
    }
}

object! {
    /// An issuer of JWTs.
    #[schema(transform = schema::audiences)]
    pub struct Issuer {
        /// How routes and audit refer to it.
        #[schema(regex(pattern = schema::NAME), example = &"corp")]
        pub name: Field<String>,
        /// The exact `iss` of its tokens.
        #[schema(length(min = 1, max = 2048), example = &"https://idp.example")]
        pub issuer: Field<String>,
        /// Any of these must be in `aud`; needed unless `any_audience` is true.
        #[schema(default, length(min = 1), inner(length(min = 1, max = 2048)))]
        pub audiences: List<String>,
        /// Takes tokens for any audience, instead of `audiences`. Default: false.
        #[schema(default)]
        pub any_audience: Field<bool>,
        /// Where its keys come from: exactly one of inline, remote and discovery.
        pub keys: Field<Keys>,
        /// The signature algorithms that are accepted. Default: every asymmetric one that is
        /// supported; HS256, HS384 and HS512 only by name, and never beside others.
        #[schema(default, length(min = 1), transform = schema::algorithms)]
        pub algorithms: List<String>,
        /// What is taken of this issuer that is refused otherwise. Default: nothing.
        #[schema(default, length(min = 1))]
        pub lenient: List<Lenient>,
        /// What kind of token it issues. Default: jwt.
        #[schema(default)]
        pub profile: Field<Profile>,
        /// How far clocks may be apart, at most 5m. Default: 30s.
        #[schema(default)]
        pub clock_skew: Field<Span>,
        /// The most from `iat` to `exp`, longer than zero; needs `iat`. Default: no cap.
        #[schema(default)]
        pub max_lifetime: Field<Span>,
        /// Where the scopes and the client's name are read.
        #[schema(default)]
        pub claims: Field<ClaimNames>,
        /// Whether the upstream gets the credential as it was sent. Default: false.
        #[schema(default)]
        pub forward: Field<bool>,
        /// Claims that the upstream gets: from the header's name, in lower case, to the claim.
        /// Default: none.
        #[schema(default, transform = schema::claim_headers)]
        pub claim_headers: Field<BTreeMap<String, Field<String>>>,
    }
}

word! {
    /// What is refused unless an issuer is said to need it.
    pub enum Lenient {
        /// RSA keys of more than 4096 bits, up to 8192: to check one signature with such a key takes
        /// up to 11 ms of CPU time.
        LargeRsa = "large_rsa",
    }
}

object! {
    /// Where an issuer's keys come from.
    #[schema(transform = schema::one_source)]
    pub struct Keys {
        /// A JWK Set (RFC 7517), in the document itself.
        #[schema(default, transform = schema::key_set)]
        pub inline: Field<Value>,
        /// A JWK Set that is fetched from an address.
        #[schema(default)]
        pub remote: Field<Remote>,
        /// The key set that the issuer's metadata names (OpenID Connect Discovery, RFC 8414).
        #[schema(default)]
        pub discovery: Field<Discovery>,
        /// Whether RSA keys may have the exponent 3. Default: false.
        #[schema(default)]
        pub allow_rsa_exponent_3: Field<bool>,
    }
}

object! {
    /// A JWK Set that is fetched from an address.
    pub struct Remote {
        /// The proxy's cluster that it is fetched from.
        #[schema(length(min = 1, max = 256), example = &"idp")]
        pub cluster: Field<String>,
        /// Its address.
        #[schema(regex(pattern = schema::URL), example = &"https://idp.example/jwks.json")]
        pub uri: Field<String>,
        /// How long a fetch may take, 1ms to 30s. Default: 2s.
        #[schema(default)]
        pub timeout: Field<Span>,
        /// How long a set is fresh at most, 1s to 7d. Default: 10m.
        #[schema(default)]
        pub refresh: Field<Span>,
        /// For how long a set is good that could not be fetched anew, from `refresh` to 30d.
        /// Default: 24h.
        #[schema(default)]
        pub max_stale: Field<Span>,
        /// The shortest time between two fetches that unknown keys cause, and for which a set is
        /// fresh, 1s to 1h. Default: 30s.
        #[schema(default)]
        pub cooldown: Field<Span>,
        /// For how long a request waits for the first keys, 1ms to 30s. Default: 2s.
        #[schema(default)]
        pub wait: Field<Span>,
    }
}

object! {
    /// The key set that the issuer's metadata names.
    pub struct Discovery {
        /// The proxy's cluster that the issuer is reached by.
        #[schema(length(min = 1, max = 256), example = &"idp")]
        pub cluster: Field<String>,
        /// Other authorities that `jwks_uri` may name, each with the cluster it is reached by.
        /// Default: the issuer's own alone.
        #[schema(default, transform = schema::authorities)]
        pub authorities: Field<BTreeMap<String, Field<String>>>,
        /// How long a fetch may take, 1ms to 30s. Default: 2s.
        #[schema(default)]
        pub timeout: Field<Span>,
        /// How long a set is fresh at most, 1s to 7d. Default: 10m.
        #[schema(default)]
        pub refresh: Field<Span>,
        /// For how long a set is good that could not be fetched anew, from `refresh` to 30d.
        /// Default: 24h.
        #[schema(default)]
        pub max_stale: Field<Span>,
        /// The shortest time between two fetches that unknown keys cause, and for which a set is
        /// fresh, 1s to 1h. Default: 30s.
        #[schema(default)]
        pub cooldown: Field<Span>,
        /// For how long a request waits for the first keys, 1ms to 30s. Default: 2s.
        #[schema(default)]
        pub wait: Field<Span>,
    }
}

word! {
    /// What kind of token an issuer issues.
    pub enum Profile {
        /// A JWT.
        Jwt = "jwt",
        /// A JWT access token of RFC 9068, in full.
        AtJwt = "at+jwt",
    }
}

object! {
    /// Where claims are read: the first that is there counts.
    pub struct ClaimNames {
        /// The scopes. Default: scope, scp.
        #[schema(default, length(min = 1), inner(length(min = 1)))]
        pub scope: List<String>,
        /// The client's name. Default: client_id, azp.
        #[schema(default, length(min = 1), inner(length(min = 1)))]
        pub client: List<String>,
    }
}

object! {
    /// A SPIFFE trust domain.
    #[schema(transform = schema::svids)]
    pub struct TrustDomain {
        /// Its name.
        #[schema(regex(pattern = schema::TRUST_DOMAIN), example = &"prod.example")]
        pub name: Field<String>,
        /// How its JWT-SVIDs are verified. Default: they are not taken.
        #[schema(default)]
        pub jwt_svid: Field<JwtSvid>,
        /// Where its X.509-SVIDs are seen. Default: they are not taken.
        #[schema(default)]
        pub x509_svid: Field<X509Svid>,
        /// Whose x-forwarded-client-cert is believed: whoever is named by either list; everybody
        /// else's is removed. Needed where `x509_svid.from` is xfcc or either. Default: nobody's.
        #[schema(default)]
        pub xfcc: Field<Xfcc>,
    }
}

object! {
    /// How the JWT-SVIDs of a trust domain are verified.
    pub struct JwtSvid {
        /// Any of these must be in `aud`.
        #[schema(length(min = 1), inner(length(min = 1, max = 2048)), extend("examples" = [["orders"]]))]
        pub audiences: List<String>,
        /// The domain's bundle: exactly one of inline and remote.
        pub bundle: Field<Bundle>,
        /// How far clocks may be apart, at most 5m. Default: 30s.
        #[schema(default)]
        pub clock_skew: Field<Span>,
        /// Whether the upstream gets the credential as it was sent. Default: false.
        #[schema(default)]
        pub forward: Field<bool>,
    }
}

object! {
    /// Where a trust domain's bundle comes from.
    #[schema(transform = schema::one_bundle)]
    pub struct Bundle {
        /// The bundle, in the document itself.
        #[schema(default, transform = schema::bundle)]
        pub inline: Field<Value>,
        /// A bundle endpoint. Its `spiffe_refresh_hint` may shorten `refresh`.
        #[schema(default)]
        pub remote: Field<Remote>,
    }
}

object! {
    /// Where the X.509-SVIDs of a trust domain are seen.
    pub struct X509Svid {
        /// What shows them.
        pub from: Field<SvidFrom>,
        /// When the certificate of a connection counts as validated. Default: reported.
        #[schema(default)]
        pub validated: Field<Validated>,
    }
}

word! {
    /// What shows an X.509-SVID.
    pub enum SvidFrom {
        /// The connection's own peer certificate.
        Tls = "tls",
        /// The x-forwarded-client-cert header of a trusted proxy.
        Xfcc = "xfcc",
        /// The header where a trusted proxy calls, the connection's certificate where anybody else
        /// does.
        Either = "either",
    }
}

word! {
    /// When the certificate of a connection counts as validated.
    pub enum Validated {
        /// Where the proxy says so; Envoy does not for sessions that are resumed.
        Reported = "reported",
        /// Always: the listener is known to refuse every certificate that it cannot validate.
        Always = "always",
    }
}

object! {
    /// Whose x-forwarded-client-cert is believed: whoever is named by either list.
    #[schema(transform = schema::some_trust)]
    pub struct Xfcc {
        /// The SPIFFE IDs of proxies, as their certificates say; `*` is one segment, a trailing
        /// `**` one or more. Default: none.
        #[schema(default, length(min = 1), inner(regex(pattern = schema::SPIFFE)), extend("examples" = [["spiffe://prod.example/ingress"]]))]
        pub trusted_peers: List<String>,
        /// The networks of proxies. Default: none.
        #[schema(default, length(min = 1), extend("examples" = [["10.0.0.0/8"]]))]
        pub trusted_cidrs: List<String>,
        /// How many elements the header has, from 1 to 16: 1 where the proxy in front overwrites
        /// what callers send, one more for each proxy behind it that appends its own. A header
        /// with more or fewer is refused whole. Default: 1.
        #[schema(default, range(min = 1, max = 16))]
        pub elements: Field<u64>,
        /// Which element of the header is the caller's; one about the certificate of this
        /// connection is passed over. Default: last.
        #[schema(default)]
        pub element: Field<Element>,
    }
}

word! {
    /// Which element of x-forwarded-client-cert is the caller's.
    pub enum Element {
        /// What the first proxy wrote.
        First = "first",
        /// What the last proxy wrote.
        Last = "last",
    }
}

object! {
    /// How a credential is sent.
    pub struct Tokens {
        /// The header, in lower case. Default: authorization.
        #[schema(default, regex(pattern = schema::HEADER))]
        pub header: Field<String>,
        /// The scheme before the token, compared without case. Default: Bearer.
        #[schema(default, regex(pattern = schema::SCHEME))]
        pub scheme: Field<String>,
        /// The longest token, from 512B to 64KiB. Default: 8192.
        #[schema(default)]
        pub max_bytes: Field<Size>,
        /// How much CPU time the signature of one request may take, from 1ms to 100ms, by a list of
        /// prices. One key is tried whatever it costs, and another where several could have signed the
        /// token only if there is room for it. Default: 2ms.
        #[schema(default)]
        pub budget: Field<Span>,
        /// How much a worker keeps of verified tokens, from 64KiB to 256MiB. Default: 4MiB.
        #[schema(default)]
        pub cache: Field<Size>,
        /// Whether a token that one worker has verified is taken over by the others without checking
        /// its signature again. What they tell each other is keyed with `vm_config.configuration`, so
        /// that either it is a secret, or no other plugin is in the same `vm_id`; with neither, another
        /// plugin could let forged tokens in. Default: false.
        #[schema(default)]
        pub share: Field<bool>,
        /// Whether the upstream gets `authorization: Postern` where a credential was taken away, so that
        /// caches between the gate and the upstream do not give one caller's answer to another.
        /// Default: false.
        #[schema(default)]
        pub marker: Field<bool>,
    }
}

object! {
    /// A governed client.
    pub struct Client {
        /// How routes, limits and audit refer to it.
        #[schema(regex(pattern = schema::NAME), example = &"billing-batch")]
        pub name: Field<String>,
        /// Which callers it is: `issuer` with `client` or `subject`, or `spiffe`.
        pub matching: Field<ClientMatch> = "match",
        /// Who answers for it. Default: not said.
        #[schema(default, length(min = 1, max = 256), example = &"payments@corp.example")]
        pub owner: Field<String>,
        /// What it is for. Default: not said.
        #[schema(default, length(min = 1, max = 256), example = &"nightly invoicing")]
        pub purpose: Field<String>,
        /// What its requests may declare in `audit.purpose_header`, which they then must. Default:
        /// anything, or nothing.
        #[schema(default, length(min = 1), inner(length(min = 1, max = 256)))]
        pub purposes: List<String>,
        /// The last day of its registration, UTC. Default: it has no end.
        #[schema(default, regex(pattern = schema::DAY), example = &"2027-01-31")]
        pub expires: Field<String>,
        /// Whether it may call. Default: active.
        #[schema(default)]
        pub state: Field<ClientState>,
        /// The networks that it may call from. Default: any.
        #[schema(default, length(min = 1), extend("examples" = [["10.20.0.0/16"]]))]
        pub sources: List<String>,
        /// What its tokens must be bound to. Default: none.
        #[schema(default)]
        pub proof: Field<Proof>,
        /// How it is judged in another way than others: the fields of `risk` but `slots`. Default: as
        /// others.
        #[schema(default, with = "schema::Risk", transform = schema::risk_of_client)]
        pub risk: Field<Value>,
    }
}

object! {
    /// Which callers a client is: `issuer` with `client` or `subject`, or `spiffe`.
    #[schema(transform = schema::one_match)]
    pub struct ClientMatch {
        /// The issuer of its tokens, beside `client` or `subject`.
        #[schema(default, regex(pattern = schema::NAME))]
        pub issuer: Field<String>,
        /// The client that its tokens were issued to, exactly.
        #[schema(default, length(min = 1, max = 2048))]
        pub client: Field<String>,
        /// The subject of its tokens, exactly.
        #[schema(default, length(min = 1, max = 2048))]
        pub subject: Field<String>,
        /// Its SPIFFE ID: `*` is one segment, a trailing `**` one or more; the most specific pattern
        /// counts.
        #[schema(default, regex(pattern = schema::SPIFFE), example = &"spiffe://prod.example/ns/pay/sa/*")]
        pub spiffe: Field<String>,
    }
}

word! {
    /// Whether a client may call.
    pub enum ClientState {
        /// It may.
        Active = "active",
        /// It may not, for now.
        Suspended = "suspended",
    }
}

word! {
    /// Whether callers may call that are not registered.
    pub enum Unregistered {
        /// They may, where a route lets them.
        Allow = "allow",
        /// They may not.
        Deny = "deny",
    }
}

word! {
    /// What tokens must be bound to.
    pub enum Proof {
        /// Nothing.
        None = "none",
        /// The certificate that their sender presents (RFC 8705).
        Mtls = "mtls",
    }
}

object! {
    /// A route: which requests, and what they need.
    #[schema(transform = schema::public)]
    pub struct Route {
        /// How audit refers to it.
        #[schema(regex(pattern = schema::NAME), example = &"read-orders")]
        pub name: Field<String>,
        /// Which requests it is for.
        pub matching: Field<Match> = "match",
        /// Whether no credential is needed; then without allow, when, limits, proof and risk. Default:
        /// false.
        #[schema(default)]
        pub public: Field<bool>,
        /// The proxy's clusters that its requests may be sent to, public or not: the one that the
        /// proxy has chosen must be among them. Default: those of `defaults`, or any.
        #[schema(default, length(min = 1), inner(regex(pattern = schema::CLUSTER)), extend("examples" = [["orders"]]))]
        pub upstreams: List<String>,
        /// Who may call; everything that is named must hold. Default: whoever has a good credential.
        #[schema(default)]
        pub allow: Field<Allow>,
        /// What else must hold of a request; every entry must, and each has exactly one of query, header,
        /// source, hours, body_bytes_max and token_age_max. Default: nothing.
        #[schema(default, length(min = 1))]
        pub when: List<Condition>,
        /// The limits that its requests are charged to, all or none of them. Default: none.
        #[schema(default, length(min = 1, max = 16), inner(regex(pattern = schema::NAME)))]
        pub limits: List<String>,
        /// What tokens must be bound to; a client may ask for more. Default: none.
        #[schema(default)]
        pub proof: Field<Proof>,
        /// How its requests are judged in another way than others: `actions` and the `weight` of
        /// `signals`; what the client says counts more. Default: as others.
        #[schema(default, with = "schema::Risk", transform = schema::risk_of_route)]
        pub risk: Field<Value>,
        /// Whether refusals are enforced here. Default: as for the whole document.
        #[schema(default)]
        pub mode: Field<Mode>,
    }
}

object! {
    /// What holds for every route that does not say otherwise.
    pub struct Defaults {
        /// The proxy's clusters that requests may be sent to. Default: any.
        #[schema(default, length(min = 1), inner(regex(pattern = schema::CLUSTER)), extend("examples" = [["orders"]]))]
        pub upstreams: List<String>,
    }
}

object! {
    /// Which requests a route is for.
    pub struct Match {
        /// Hosts, exact or `*.example.com`, compared as requests have them but for case:
        /// `api.example` names no port, `api.example:8443` that one, `api.example:*` any or none.
        /// Default: any.
        #[schema(default, length(min = 1), extend("examples" = [["api.example", "*.example.com:*"]]))]
        pub hosts: List<String>,
        /// Methods in upper case. Default: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS, TRACE,
        /// CONNECT and QUERY; any other has to be named.
        #[schema(
            default,
            length(min = 1),
            inner(regex(pattern = schema::METHOD)),
            extend("examples" = [["GET", "HEAD"]])
        )]
        pub methods: List<String>,
        /// A template over the decoded path: `{name}` is one segment that is not empty, `{name*}`
        /// the rest. `/files/{rest*}` matches `/files/` and everything below, but not `/files`.
        /// All else has to be sent as it is written here.
        #[schema(regex(pattern = "^/"), example = &"/v1/orders/{id}")]
        pub path: Field<String>,
    }
}

object! {
    /// Who may call; everything that is named must hold.
    pub struct Allow {
        /// The issuers whose tokens are taken. Default: any issuer and any trust domain.
        #[schema(default, length(min = 1), inner(regex(pattern = schema::NAME)))]
        pub issuers: List<String>,
        /// The SPIFFE IDs that may call: `*` is one segment, a trailing `**` one or more. Beside
        /// `issuers` both are needed, the token and the X.509-SVID. Default: no workload is asked
        /// for.
        #[schema(default, length(min = 1), inner(regex(pattern = schema::SPIFFE)), extend("examples" = [["spiffe://prod.example/ns/*/sa/reader"]]))]
        pub spiffe: List<String>,
        /// The registered clients that may call. Default: any.
        #[schema(default, length(min = 1), inner(regex(pattern = schema::NAME)))]
        pub clients: List<String>,
        /// Whether a JWT-SVID is needed, sent by the very workload that it names, as its X.509-SVID
        /// shows. Default: false.
        #[schema(default)]
        pub same_workload: Field<bool>,
        /// The scopes that are needed.
        #[schema(default)]
        pub scopes: Field<Scopes>,
        /// What claims must be; every entry must hold. Default: anything.
        #[schema(default, length(min = 1))]
        pub claims: List<Claim>,
    }
}

object! {
    /// Which scopes are needed (RFC 6749 section 3.3): exact, case-sensitive. A list may be empty
    /// only beside an `all` or `any` that is not.
    pub struct Scopes {
        /// Every one of these. Default: none.
        #[schema(
            default,
            inner(regex(pattern = schema::SCOPE)),
            extend("examples" = [["orders.read"]])
        )]
        pub all: List<String>,
        /// At least one of these. Default: none is needed.
        #[schema(default, inner(regex(pattern = schema::SCOPE)))]
        pub any: List<String>,
        /// None of these. Default: none is refused.
        #[schema(default, inner(regex(pattern = schema::SCOPE)))]
        pub none: List<String>,
    }
}

object! {
    /// What a claim must be.
    pub struct Claim {
        /// Where the claim is: a name, or names with dots between them.
        #[schema(length(min = 1), example = &"tenant.tier")]
        pub claim: Field<String>,
        /// The values that will do, compared exactly; of an array any element may be one.
        #[schema(with = "Vec<schema::Scalar>", length(min = 1))]
        pub one_of: List<Value> = "in",
    }
}

object! {
    /// A condition on the context; exactly one of query, header, source, hours, body_bytes_max and
    /// token_age_max says which.
    #[schema(transform = schema::condition)]
    pub struct Condition {
        /// The query parameter of that name, with `in`, `min` or `max`.
        #[schema(default, length(min = 1, max = 256))]
        pub query: Field<String>,
        /// The header of that name, in lower case, with `in`.
        #[schema(default, regex(pattern = schema::HEADER))]
        pub header: Field<String>,
        /// The caller's address is in one of these networks.
        #[schema(default, length(min = 1), extend("examples" = [["10.0.0.0/8"]]))]
        pub source: List<String>,
        /// A daily window in UTC, up to and not including its last minute; may wrap midnight.
        #[schema(default, regex(pattern = schema::HOURS), example = &"08:00-18:00")]
        pub hours: Field<String>,
        /// The body has at most this many bytes, at least 1B.
        #[schema(default)]
        pub body_bytes_max: Field<Size>,
        /// The token was issued at most this long ago, longer than zero; needs `iat`.
        #[schema(default)]
        pub token_age_max: Field<Span>,
        /// The values that will do, compared exactly; of `query` and `header`.
        #[schema(default, length(min = 1))]
        pub one_of: List<String> = "in",
        /// The least that the number in `query` may be. Default: no bound.
        #[schema(default)]
        pub min: Field<i64>,
        /// The most that the number in `query` may be. Default: no bound.
        #[schema(default)]
        pub max: Field<i64>,
        /// Whether the `query` or `header` must be there. Default: true.
        #[schema(default)]
        pub required: Field<bool>,
        /// The days of `hours`; a window that wraps belongs to the day on which it begins. Default:
        /// every day.
        #[schema(default, length(min = 1))]
        pub days: List<Weekday>,
    }
}

word! {
    /// A day of the week.
    pub enum Weekday {
        Mon = "mon",
        Tue = "tue",
        Wed = "wed",
        Thu = "thu",
        Fri = "fri",
        Sat = "sat",
        Sun = "sun",
    }
}

object! {
    /// How much callers may: a rate or a quota.
    #[schema(transform = schema::rate_or_quota)]
    pub struct Limit {
        /// How routes and audit refer to it.
        #[schema(regex(pattern = schema::NAME), example = &"per-client")]
        pub name: Field<String>,
        /// What it counts by: identity, issuer, client, route, source, source_network (/24 of IPv4,
        /// /64 of IPv6), claim:NAME, header:NAME.
        #[schema(length(min = 1), inner(regex(pattern = schema::KEY_PART)), extend("examples" = [["client", "route"]]))]
        pub key: List<String>,
        /// The sustained rate, at most 999999999 units and one in a nanosecond, counted by the generic
        /// cell rate algorithm; or else `quota`.
        #[schema(default)]
        pub rate: Field<Rate>,
        /// How many units of a rate may come at once; they are earned within 366 days. Default: the
        /// rate's count.
        #[schema(default, range(min = 1, max = 999_999_999))]
        pub burst: Field<u64>,
        /// Units, at most 999999999, in fixed windows of whole seconds, at most 366d, which begin at
        /// multiples of their length since 1970-01-01 00:00 UTC; or else `rate`.
        #[schema(default)]
        pub quota: Field<Rate>,
        /// What a request costs, in units. Default: 1.
        #[schema(default, with = "schema::CostForms")]
        pub cost: Field<Value>,
        /// For whom it is counted. Default: process, which is all workers of a proxy.
        #[schema(default)]
        pub per: Field<Per>,
        /// What happens to a request when workers hinder each other in counting. Default: deny.
        #[schema(default)]
        pub on_contention: Field<OnContention>,
        /// What happens where a host has no shared data, or refuses it. Default: per_worker.
        #[schema(default)]
        pub on_failure: Field<OnFailure>,
        /// Whether its refusals are enforced, or only audited. Default: enforce.
        #[schema(default)]
        pub mode: Field<Mode>,
    }
}

object! {
    /// What a request costs, where that depends on it.
    #[schema(transform = schema::one_cost)]
    pub struct Cost {
        /// The query parameter that says how much is asked for; one unit where it is absent.
        #[schema(default, length(min = 1, max = 256))]
        pub query: Field<String>,
        /// How much of the parameter a unit is worth, rounded up. Default: 1.
        #[schema(default, range(min = 1))]
        pub per: Field<u64>,
        /// How many bytes of the response a unit is worth, at least 1B, charged when it has ended.
        #[schema(default)]
        pub response_bytes: Field<Size>,
    }
}

word! {
    /// For whom a limit is counted.
    pub enum Per {
        /// For all workers of a proxy.
        Process = "process",
    }
}

word! {
    /// What happens to a request when workers hinder each other in counting.
    pub enum OnContention {
        /// It is refused.
        Deny = "deny",
        /// It is let through and not counted.
        Allow = "allow",
    }
}

word! {
    /// What happens where a host has no shared data, or refuses it.
    pub enum OnFailure {
        /// Each worker counts for itself.
        PerWorker = "per_worker",
        /// Requests are refused with `limits_unavailable`.
        Deny = "deny",
    }
}

object! {
    /// Where limits are counted.
    pub struct Counters {
        /// How many counters are kept at once, rounded up to a multiple of 16. Default: 65536.
        #[schema(default, range(min = 16, max = 4_194_304))]
        pub slots: Field<u64>,
    }
}

object! {
    /// What is done from some score on.
    #[schema(transform = schema::factor)]
    pub struct RiskAction {
        /// The score from which on it is done; each stands once.
        #[schema(range(min = 1, max = 100), example = &60)]
        pub at: Field<u64>,
        /// What is done.
        pub deed: Field<RiskDeed> = "do",
        /// How many times its cost a request is charged, where it is throttled. Default: 4.
        #[schema(default, range(min = 2, max = 1000))]
        pub factor: Field<u64>,
    }
}

word! {
    /// What is done about a score.
    pub enum RiskDeed {
        /// The upstream is told, and audit says why.
        Tag = "tag",
        /// Requests cost their limits more.
        Throttle = "throttle",
        /// The request is refused.
        Deny = "deny",
    }
}

object! {
    /// Where callers come from, and what those are told that keep failing.
    #[schema(transform = schema::one_trust)]
    pub struct Source {
        /// The header in which trusted proxies list the addresses they were called from. Default:
        /// x-forwarded-for.
        #[schema(default, regex(pattern = schema::HEADER))]
        pub header: Field<String>,
        /// How many proxies in front of this one are trusted. Default: 0.
        #[schema(default, range(max = 32))]
        pub trusted_hops: Field<u64>,
        /// The networks of the proxies that are trusted, instead of a number of them. Default: none.
        #[schema(default, length(min = 1), extend("examples" = [["10.0.0.0/8"]]))]
        pub trusted_cidrs: List<String>,
        /// How often a source may fail to authenticate.
        #[schema(default)]
        pub pressure: Field<Pressure>,
    }
}

object! {
    /// How often a source may fail to authenticate before it is turned away unheard.
    pub struct Pressure {
        /// The sustained rate of failures. Default: 600/1m.
        #[schema(default)]
        pub rate: Field<Rate>,
        /// How many failures may come at once. Default: 300, or the rate's count where that is given.
        #[schema(default, range(min = 1, max = 999_999_999))]
        pub burst: Field<u64>,
        /// Whether it is enforced, only audited, or off. Default: enforce.
        #[schema(default)]
        pub mode: Field<PressureMode>,
    }
}

word! {
    /// Whether source pressure is enforced.
    pub enum PressureMode {
        /// A source past it is refused with `source_throttled`.
        Enforce = "enforce",
        /// It is audited.
        Observe = "observe",
        /// Failures are not counted.
        Off = "off",
    }
}

object! {
    /// What is written of decisions.
    pub struct Audit {
        /// What goes to the host's log.
        #[schema(default)]
        pub log: Field<Log>,
        /// The header in which callers say what a request is for. Default: none.
        #[schema(default, regex(pattern = schema::HEADER), example = &"x-request-purpose")]
        pub purpose_header: Field<String>,
    }
}

object! {
    /// What goes to the host's log.
    pub struct Log {
        /// The level at which decisions are written. Default: info.
        #[schema(default)]
        pub level: Field<LogLevel>,
        /// Which decisions are written. Default: all.
        #[schema(default, with = "schema::Decisions")]
        pub decisions: Field<Value>,
        /// From how many bytes on events are written to the host's log together, a line each, up to
        /// 1 MiB. They wait for at most 200 ms; those that wait are lost if the proxy is killed.
        /// Default: each is written at once.
        #[schema(default)]
        pub batch: Field<Size>,
    }
}

word! {
    /// A level of the host's log.
    pub enum LogLevel {
        Trace = "trace",
        Debug = "debug",
        Info = "info",
        Warn = "warn",
        Error = "error",
        Critical = "critical",
    }
}

word! {
    /// Which decisions are written, in a word.
    pub enum DecisionsWord {
        /// Every one.
        All = "all",
        /// Those that deny.
        Denied = "denied",
    }
}

object! {
    /// Which fraction of decisions is written, from 0 to 1.
    pub struct DecisionRates {
        /// Of those that allow. Default: 1.
        #[schema(default, range(min = 0, max = 1))]
        pub allowed: Field<f64>,
        /// Of those that deny. Default: 1.
        #[schema(default, range(min = 0, max = 1))]
        pub denied: Field<f64>,
    }
}

object! {
    /// What a refused caller is told.
    pub struct Responses {
        /// The `realm` of challenges. Default: none.
        #[schema(default, regex(pattern = schema::QUOTABLE), example = &"orders")]
        pub realm: Field<String>,
        /// The `resource_metadata` of challenges (RFC 9728). Default: none.
        #[schema(
            default,
            regex(pattern = schema::URL),
            example = &"https://api.example/.well-known/oauth-protected-resource"
        )]
        pub resource_metadata: Field<String>,
        /// How much a reply says: the reason, or what happened as well. Default: reason.
        #[schema(default)]
        pub detail: Field<Detail>,
        /// Whether allowed responses carry `RateLimit` fields as well. Default: false.
        #[schema(default)]
        pub rate_fields: Field<bool>,
    }
}

word! {
    /// How much a reply says.
    pub enum Detail {
        /// The reason.
        Reason = "reason",
        /// The reason and what happened.
        Full = "full",
    }
}
