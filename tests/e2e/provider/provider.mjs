// A real OpenID provider for machines on a free port of loopback: client credentials, JWT access
// tokens. `node provider.mjs PORT_FILE` writes the port to that file and serves until it is ended.
//
// `POST /lab/keys?published=a,b&signing=b` says which keys there are from now on; `GET /lab/counts`
// tells how often each path was asked for.

import { renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

const RESOURCE = 'https://orders.example';
const made = new Map();
const counts = {};
let serve;

async function key(kid) {
  if (!made.has(kid)) {
    const { privateKey } = await generateKeyPair('ES256', { extractable: true });
    made.set(kid, { ...(await exportJWK(privateKey)), kid, alg: 'ES256', use: 'sig' });
  }
  return made.get(kid);
}

async function publish(issuer, published, signing) {
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'billing-batch',
      client_secret: 'a secret of the laboratory',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: 'ES256',
    }],
    jwks: { keys: await Promise.all(published.map(key)) },
    cookies: { keys: ['of no use here'] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        getResourceServerInfo: () => ({
          scope: 'orders.read orders.write',
          audience: 'orders',
          accessTokenTTL: 600,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256', kid: signing } },
        }),
      },
    },
  });
  serve = provider.callback();
}

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  if (pathname === '/lab/keys') {
    await publish(issuer, searchParams.get('published').split(','), searchParams.get('signing'));
    response.end();
  } else if (pathname === '/lab/counts') {
    response.end(JSON.stringify(counts));
  } else {
    counts[pathname] = (counts[pathname] ?? 0) + 1;
    serve(request, response);
  }
});

let issuer;
server.listen(0, '127.0.0.1', async () => {
  const { port } = server.address();
  issuer = `http://127.0.0.1:${port}`;
  await publish(issuer, ['k1'], 'k1');
  // Renamed into place, so that a reader never sees half of it.
  writeFileSync(`${process.argv[2]}.draft`, String(port));
  renameSync(`${process.argv[2]}.draft`, process.argv[2]);
});
