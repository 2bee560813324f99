//! `postern token`: tokens and keys for development, and a look at tokens.

mod inspect;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use postern_core::crypto::Algorithm;
use serde_json::{Map, Value, json};

use crate::explain;
use crate::failure::{Failure, note, output};
use crate::moment;
use crate::test::signers;
use postern_testkit::signing::{ALGORITHMS, Signer, jws};

/// Makes keys and tokens for development, and shows what is in a token.
#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Keys(Keys),
    Mint(Mint),
    Inspect(Inspect),
}

/// Makes a key: its private JWK goes to a file, its public JWK Set to standard output.
///
/// The file is only for its owner (0600), and one that is there is never overwritten. Of a shared
/// secret (HS256) there is nothing public, and nothing is printed.
#[derive(Args)]
struct Keys {
    /// The algorithm: ES256, RS256, EdDSA or HS256.
    #[arg(long, default_value = "ES256", value_parser = algorithm)]
    alg: Algorithm,
    /// The name of the key.
    #[arg(long, default_value = "dev-1")]
    kid: String,
    /// The file for the private JWK.
    #[arg(long, value_name = "FILE", default_value = "private.jwk")]
    private: PathBuf,
}

/// Makes a token for development, signed with a private JWK.
///
/// Where the claims do not say, it is issued now. Without a key one is made and thrown away, so that
/// nothing can verify the token: good for looking at the form.
#[derive(Args)]
struct Mint {
    /// The claims: a JSON object, or a file with one; now, now+5m and now-2h are instants.
    #[arg(long, value_name = "JSON|FILE")]
    claims: String,
    /// The algorithm: ES256, RS256, EdDSA or HS256; left out, the key's.
    #[arg(long, value_parser = algorithm)]
    alg: Option<Algorithm>,
    /// A file with the private JWK.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The name of the key, where it is not the JWK's own.
    #[arg(long)]
    kid: Option<String>,
    /// The type of the token.
    #[arg(long, default_value = "JWT")]
    typ: String,
    /// For how long it is good, where the claims do not say.
    #[arg(long, value_name = "SPAN", default_value = "5m", value_parser = span)]
    expires: std::time::Duration,
    #[command(flatten)]
    clock: moment::Clock,
}

/// Shows header and claims of a token, without trusting them.
///
/// The token is read from a file or from standard input, never from an argument: arguments end up in
/// the history of shells and in lists of processes.
#[derive(Args)]
struct Inspect {
    /// A file with the token; - is standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    clock: moment::Clock,
}

/// Does what was asked for.
///
/// # Errors
///
/// What of the input cannot be used.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Keys(arguments) => keys(arguments),
        Command::Mint(arguments) => mint(arguments),
        Command::Inspect(arguments) => {
            refuse_token(&arguments.file)?;
            let token = explain::read(&arguments.file)?;
            output(&inspect::text(&token, arguments.clock.now()?)?)
        }
    }
}

// It is in the history by now; it need not be shown again.
fn refuse_token(file: &Path) -> Result<(), Failure> {
    let text = file.to_string_lossy();
    if text.starts_with("eyJ") && text.matches('.').count() >= 2 && !file.exists() {
        let why = "the argument looks like a token, which is in the history of the shell now; give a file, or pipe it in";
        return Err(Failure(why.to_owned()));
    }
    Ok(())
}

fn keys(arguments: &Keys) -> Result<(), Failure> {
    let key = Signer::generate(arguments.alg, &arguments.kid).map_err(Failure)?;
    let file = arguments.private.display();
    write_private(&arguments.private, &format!("{:#}\n", key.private_jwk()))?;
    if key.is_shared_secret() {
        note(format!(
            "{file} holds a shared secret: whoever verifies needs the very same, and nothing of it is public"
        ));
        return Ok(());
    }
    note(format!(
        "{file} holds the private key; what follows is public"
    ));
    output(&format!("{:#}\n", json!({"keys": [key.public_jwk()]})))
}

fn write_private(file: &Path, text: &str) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let written = options
        .open(file)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Failure(format!("{}: {error}", file.display())))
}

fn mint(arguments: &Mint) -> Result<(), Failure> {
    let mut claims = explain::claims::read(&arguments.claims)?;
    let key = signer(arguments)?;
    let now = arguments.clock.now()?;
    let expires = now.after(arguments.expires).secs();
    claims.entry("iat").or_insert_with(|| json!(now.secs()));
    claims.entry("exp").or_insert_with(|| json!(expires));
    claims.retain(|_, value| !value.is_null());
    let kid = arguments.kid.as_ref().unwrap_or(&key.kid);
    let header = json!({"alg": key.algorithm.name(), "kid": kid, "typ": arguments.typ});
    let header: Map<String, Value> = header.as_object().cloned().unwrap_or_default();
    let claims = moment::dated(&Value::Object(claims), now);
    output(&format!("{}\n", jws::signed(&key, &header, &claims)))
}

fn signer(arguments: &Mint) -> Result<Signer, Failure> {
    let Some(file) = &arguments.key else {
        note(
            "no --key: the key is thrown away, and nothing can verify the token; postern token keys makes one",
        );
        let algorithm = arguments.alg.unwrap_or(Algorithm::Es256);
        return Signer::generate(algorithm, "thrown-away").map_err(Failure);
    };
    let key = signers::read(file)?;
    match arguments.alg {
        Some(algorithm) if algorithm != key.algorithm => {
            let (file, own) = (file.display(), key.algorithm.name());
            Err(Failure(format!(
                "{file}: is a key for {own}, and --alg is {}",
                algorithm.name()
            )))
        }
        _ => Ok(key),
    }
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    postern_testkit::signing::algorithm(name).ok_or_else(|| format!("{ALGORITHMS} is needed"))
}

fn span(text: &str) -> Result<std::time::Duration, String> {
    moment::span(text).ok_or_else(|| "a span such as 90s, 5m, 12h or 7d is needed".to_owned())
}
