// SPDX-License-Identifier: MIT
// The canned answers by Node's own http and https. usage: node app.mjs PLAIN TLS12 TLS13 CERT KEY
// SECOND EXPIRED
import {createHash} from 'node:crypto';
import {readFileSync} from 'node:fs';
import http from 'node:http';
import https from 'node:https';

const LARGE = Buffer.from(Array.from({length: 1 << 20}, (_, i) => i * 7 % 251));
const CHAT = JSON.stringify({choices: [{index: 0, message: {content: 'Grüße'},
  finish_reason: 'stop'}]});
const MODELS = JSON.stringify({object: 'list', data: [{id: 'canned'}]});

function answer(res, status, body, fields = {}) {
  res.writeHead(status, {'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body), ...fields});
  res.end(body);
}

function get(req, res, name) {
  const status = name.match(/^status\/(\d+)$/);
  if (status) {
    answer(res, Number(status[1]), `{"error":{"message":"canned ${status[1]}"}}`,
      status[1] === '429' ? {'Retry-After': '7'} : {});
  } else if (name === 'large') {
    answer(res, 200, LARGE, {'Content-Type': 'application/octet-stream'});
  } else if (name === 'large-chunked') {
    for (let i = 0; i < LARGE.length; i += 5000)
      res.write(LARGE.subarray(i, i + 5000));
    res.end();
  } else if (name === 'empty') {
    res.writeHead(204).end();
  } else if (name === 'redirect') {
    answer(res, 302, '', {Location: '/v1/models'});
  } else if (name === 'close') {
    answer(res, 200, MODELS, {Connection: 'close'});
  } else if (name === 'cut') {
    res.writeHead(200, {'Content-Length': 100000});
    res.write(LARGE.subarray(0, 50000), () => res.destroy());
  } else if (name === 'cut-chunked') {
    res.write(LARGE.subarray(0, 50000), () => res.destroy());
  } else if (name === 'until-close') {
    res.useChunkedEncodingByDefault = false;
    res.setHeader('Connection', 'close');
    res.write(CHAT.slice(0, 9));
    res.end(CHAT.slice(9));
  } else if (name === 'interim') {
    res.writeEarlyHints({link: '</x>; rel=preload'});
    answer(res, 200, MODELS);
  } else if (name === 'trailers') {
    res.writeHead(200, {Trailer: 'X-Checksum'});
    res.write(CHAT);
    res.addTrailers({'X-Checksum': '42'});
    res.end();
  } else {
    answer(res, name === 'models' ? 200 : 404, MODELS);
  }
}

function post(res, name, body) {
  if (name !== 'stream') {
    answer(res, 200, name === 'chat' ? CHAT : JSON.stringify({size: body.length,
      sha256: createHash('sha256').update(body).digest('hex')}));
    return;
  }
  res.writeHead(200, {'Content-Type': 'text/event-stream'});
  let i = 0;
  const next = () => {
    if (i === 20) {
      res.end('data: [DONE]\n\n');
      return;
    }
    res.write(`data: {"choices":[{"index":0,"delta":{"content":"${i++} "}}]}\n\n`);
    setImmediate(next);
  };
  next();
}

function serve(req, res) {
  const pieces = [];
  if (req.socket.isSessionReused)
    res.setHeader('X-Resumed', req.socket.isSessionReused() ? '1' : '0');
  req.on('data', piece => pieces.push(piece));
  req.on('end', () => {
    const name = req.url.replace('/v1/', '');
    if (req.method === 'GET')
      get(req, res, name);
    else
      post(res, name, Buffer.concat(pieces));
  });
}

const [plain, tls12, tls13, ...files] = process.argv.slice(2);
const [cert, key, second, expired] = files.map(name => readFileSync(name));
http.createServer(serve).listen(Number(plain), '::');
for (const [port, version] of [[tls12, 'TLSv1.2'], [tls13, 'TLSv1.3']]) {
  const server = https.createServer({cert, key, minVersion: version, maxVersion: version}, serve);
  server.addContext('second.test', {cert: second, key});
  server.addContext('expired.test', {cert: expired, key});
  server.listen(Number(port), '::');
}
