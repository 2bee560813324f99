//! SPIFFE IDs and JWT-SVIDs as the crate `spiffe`, an independent implementation, judges them; and
//! go-spiffe's bundle documents.

use crate::svids::{AUDIENCE, Authority, Case};
use crate::vectors::{Exception, Verdict, accepted, compare, read, rejected};
use postern_core::base::Now;
use postern_core::crypto::{Pure, Work};
use postern_core::jose::{Audiences, Claims, UnverifiedJws};
use postern_core::spiffe::{
    ALGORITHMS, Bundle, BundleKeys, Signatory, SpiffeId, SvidExpectations, TrustDomain, check_svid,
    check_svid_type, signatory,
};
use spiffe::{BundleSource, JwtBundle, JwtBundleSet, JwtSvid};
use std::time::{Duration, SystemTime};

const fn verdict(good: bool) -> Verdict {
    if good {
        Verdict::Accept
    } else {
        Verdict::Reject
    }
}

/// Texts around a template: every position replaced, put in and left out.
fn id_texts() -> Vec<String> {
    const TEMPLATE: &str = "spiffe://prod.example/ns/a-b/sa/r_1";
    const CHARACTERS: &str = "a9.-_/%:@?#*~+\\ [\0\u{7f}é";
    let mut texts = vec![String::new(), TEMPLATE.to_owned()];
    for position in 0..=TEMPLATE.len() {
        let (before, after) = TEMPLATE.split_at(position);
        let rest = after.get(1..).unwrap_or_default();
        texts.push(format!("{before}{rest}"));
        texts.push(before.to_owned());
        for character in CHARACTERS.chars() {
            texts.push(format!("{before}{character}{after}"));
            texts.push(format!("{before}{character}{rest}"));
        }
    }
    let others = [
        "spiffe:",
        "spiffe:/a",
        "spiffe://",
        "spiffe:///",
        "spiffe:///a",
        "spiffe://.",
        "spiffe://..",
        "spiffe://a/",
        "spiffe://a/.",
        "spiffe://a/..",
        "spiffe://a/...",
        "spiffe://a/.b",
        "spiffe://a/b/",
        "spiffe://a//b",
        "spiffe://a/./b",
        "spiffe://a/../b",
        "spiffe://a/b/./",
        "spiffe://1.2.3.4/a",
        "spiffe://[::1]/a",
        "spiffe://a:1/b",
        "spiffe://u@a/b",
        "spiffe://a?b",
        "spiffe://a/b?c",
        "spiffe://a#b",
        "spiffe://a/b#c",
        "spiffe://a%2fb/c",
        "spiffe://a/b%2fc",
        "https://a/b",
        "spiffe//a/b",
        "spiffes://a/b",
        "spiffe://a/AZ",
        "spiffe://a/Ns/B",
        "spiffe://ａ/b",
        "SPIFFE://a/b",
        "Spiffe://a/b",
        "spiffe://A/b",
        "spiffe://prod.Example/ns",
        "spiffe://prod.example/nS/A",
    ];
    texts.extend(others.map(str::to_owned));
    for (domain, path) in [
        (255, 1),
        (256, 1),
        (1, 2037),
        (1, 2038),
        (255, 1783),
        (255, 1784),
    ] {
        texts.push(format!(
            "spiffe://{}/{}",
            "d".repeat(domain),
            "p".repeat(path)
        ));
    }
    texts.sort();
    texts.dedup();
    texts
}

/// A text as it is named in a table: cut where it is long.
fn name_of(text: &str) -> String {
    match text.get(..12).filter(|_| text.len() > 64) {
        Some(beginning) => format!("{beginning}... {}", text.len()),
        None => text.to_owned(),
    }
}

#[test]
fn ids_are_judged_and_taken_apart_as_the_other_implementation_does() {
    const FOLDED: &str = "SPIFFE-ID section 2.4 calls scheme and trust domain case-insensitive, and 2.1 \
        wants lower case; folding would give one identity two spellings";
    const LENGTH: &str = "more than 2048 bytes need not be supported (SPIFFE-ID section 2.3)";
    const EXCEPTIONS: &[Exception] = &[
        rejected("SPIFFE://a/b", FOLDED),
        rejected("Spiffe://a/b", FOLDED),
        rejected("spiffe://A/b", FOLDED),
        rejected("spiffe://prod.Example/ns", FOLDED),
        rejected("spiffe://d/p... 2049", LENGTH),
        rejected("spiffe://ddd... 2049", LENGTH),
    ];
    let texts = id_texts();
    assert!(texts.len() > 1000, "{}", texts.len());
    let verdicts = texts.iter().map(|text| {
        let (theirs, ours) = (spiffe::SpiffeId::new(text), SpiffeId::parse(text));
        if let (Ok(theirs), Ok(ours)) = (&theirs, &ours) {
            assert_eq!(theirs.trust_domain_name(), ours.trust_domain().as_str());
            assert_eq!(theirs.path(), ours.path());
        }
        (
            name_of(text),
            verdict(theirs.is_ok()),
            verdict(ours.is_ok()),
        )
    });
    compare(verdicts, EXCEPTIONS);
}

/// The other implementation's bundles, of the keys that it asks its callers to choose.
fn their_bundles(authorities: &[Authority]) -> JwtBundleSet {
    let bundle = |authority: &Authority| {
        let domain = spiffe::TrustDomain::new(&authority.domain).unwrap();
        let keys: Vec<_> = authority
            .keys()
            .filter(|key| key["use"] == "jwt-svid")
            .collect();
        let document = serde_json::json!({"keys": keys}).to_string();
        JwtBundle::from_jwt_authorities(domain, document.as_bytes()).unwrap()
    };
    authorities.iter().map(bundle).collect()
}

fn their_verdict<B>(token: &str, bundles: &B) -> Result<String, String>
where
    B: BundleSource<Item = JwtBundle>,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    JwtSvid::parse_and_validate(token, bundles, &[AUDIENCE])
        .map(|svid| svid.spiffe_id().to_string())
        .map_err(|error| format!("{error}"))
}

/// What the gate is to do with a token, from its bytes to whose it is.
fn our_verdict(token: &str, domains: &[(TrustDomain, Bundle)], now: Now) -> Result<String, String> {
    let jws = UnverifiedJws::parse(token.as_bytes(), 8192).map_err(|error| error.to_string())?;
    let find = |wanted: &TrustDomain| domains.iter().find(|(domain, _)| domain == wanted);
    let of = signatory(&jws, |_| None::<()>, find).map_err(|error| error.to_string())?;
    let Signatory::TrustDomain((domain, bundle)) = of else {
        panic!("there is no issuer");
    };
    let keys = bundle.jwt_keys(domain).map_err(|error| error.to_string())?;
    let verified = jws
        .verify(keys, ALGORITHMS, &Pure, &mut Work::ample())
        .map_err(|error| error.to_string())?;
    check_svid_type(verified.typ()).map_err(|error| error.to_string())?;
    let claims = Claims::from_verified(verified).map_err(|error| error.to_string())?;
    let expected = SvidExpectations {
        trust_domain: domain,
        audiences: &Audiences::OneOf(vec![AUDIENCE.to_owned()]),
        clock_skew: Duration::ZERO,
    };
    check_svid(&claims, &expected, now)
        .map(|id| id.to_string())
        .map_err(|error| error.to_string())
}

#[test]
fn svids_are_judged_as_the_other_implementation_does() {
    const HEADER: &str = "the standard wants no other header parameters, but no validation of that \
        (JWT-SVID section 2, appendix A); what they say is not used";
    const KID: &str =
        "`kid` is optional (JWT-SVID section 2.2); the other implementation wants one";
    const LIMIT: &str = "a limit of the other implementation's own";
    const TYPES: &str = "registered claims are of their registered types (RFC 7519 section 4.1)";
    const EXCEPTIONS: &[Exception] = &[
        accepted("ES512 good", "the other implementation cannot verify ES512"),
        accepted("no kid", KID),
        accepted("header jku", HEADER),
        accepted("header jwk", HEADER),
        accepted("header x5u", HEADER),
        accepted("header cty", HEADER),
        accepted("header unknown", HEADER),
        accepted(
            "exp with a fraction",
            "a NumericDate may have a fraction (RFC 7519 section 2)",
        ),
        accepted("33 audiences", LIMIT),
        rejected("iat ahead", "a token from the future is not believed"),
        rejected("iat a string", TYPES),
        rejected("iss a number", TYPES),
        rejected(
            "jti with a line break",
            "what ends up in logs holds no control characters",
        ),
        rejected("unknown claim twice", "two parsers could read two values"),
        rejected(
            "sub with an upper-case scheme",
            "scheme and trust domain are never folded",
        ),
        rejected(
            "sub with an upper-case domain",
            "scheme and trust domain are never folded",
        ),
        rejected(
            "sub of 2049 bytes",
            "2048 bytes are the most (SPIFFE-ID section 2.3)",
        ),
    ];
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let authorities = crate::svids::authorities();
    let theirs = their_bundles(&authorities);
    let ours: Vec<(TrustDomain, Bundle)> = authorities
        .iter()
        .map(|authority| {
            let domain = TrustDomain::parse(&authority.domain).unwrap();
            (domain, Bundle::from_json(&authority.bundle()).unwrap())
        })
        .collect();
    let cases: Vec<Case> = crate::svids::cases(&authorities, now);
    let good = cases.iter().filter(|case| case.good).count();
    assert!(
        cases.len() >= 300 && good >= 50,
        "{} cases, {good} good",
        cases.len()
    );
    let verdicts = cases.into_iter().map(|case| {
        let (their_id, our_id) = (
            their_verdict(&case.token, &theirs),
            our_verdict(&case.token, &ours, Now::from_secs(now)),
        );
        assert_eq!(
            our_id.is_ok(),
            case.good,
            "{}: {our_id:?}, they say {their_id:?}",
            case.name
        );
        if let (Ok(their_id), Ok(our_id)) = (&their_id, &our_id) {
            assert_eq!(their_id, our_id, "{}", case.name);
        }
        (
            case.name,
            verdict(their_id.is_ok()),
            verdict(our_id.is_ok()),
        )
    });
    compare(verdicts, EXCEPTIONS);
}

#[test]
fn bundle_documents_are_read_as_go_spiffe_reads_them() {
    /// The document; its JWT-SVID keys and others of unknown use, where go-spiffe takes it.
    const DOCUMENTS: &[(&str, Option<(usize, usize)>)] = &[
        ("missing_kid", None),
        ("multiple_x509", None),
        ("no_keys", None),
        ("valid_1", Some((1, 0))),
        ("valid_2", Some((6, 0))),
        ("valid_with_wit", Some((2, 2))),
    ];
    const EXCEPTIONS: &[Exception] = &[
        accepted(
            "missing_kid",
            "a broken key is passed over with a warning; none is left for JWT-SVIDs",
        ),
        accepted(
            "multiple_x509",
            "keys for X.509-SVIDs are not looked at, and all certificates of one but the first are to \
             be ignored (X509-SVID section 6.2)",
        ),
    ];
    let mut verdicts = Vec::new();
    for (name, expected) in DOCUMENTS {
        let Some(document) = read(&format!("spiffe/spiffebundle_{name}.json")) else {
            return;
        };
        let bundle = Bundle::from_json(&document);
        if let (Some((keys, unknown)), Ok(bundle)) = (expected, &bundle) {
            assert!(matches!(bundle.keys(), BundleKeys::Usable(found) if found.len() == *keys));
            assert_eq!(bundle.other_keys().unknown, *unknown);
            assert_eq!(bundle.other_keys().x509_svid, 1);
            assert!(bundle.warnings().is_empty());
            let numbered = document.get("spiffe_sequence").is_some();
            assert_eq!(bundle.sequence(), numbered.then_some(1));
            assert_eq!(
                bundle.refresh_hint(),
                numbered.then_some(Duration::from_secs(60))
            );
        }
        if let ("missing_kid", Ok(bundle)) = (*name, &bundle) {
            assert!(matches!(bundle.keys(), BundleKeys::NoneForJwt));
            assert_eq!(bundle.warnings().len(), 1);
        }
        if let ("multiple_x509", Ok(bundle)) = (*name, &bundle) {
            assert!(matches!(bundle.keys(), BundleKeys::Usable(found) if found.len() == 1));
        }
        verdicts.push((
            (*name).to_owned(),
            verdict(expected.is_some()),
            verdict(bundle.is_ok()),
        ));
    }
    compare(verdicts, EXCEPTIONS);
}
