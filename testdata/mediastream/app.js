// A voice application as it is written for Twilio Media Streams: /echo connects
// a call to the socket /media, which sends the caller back what it hears, and
// /fork listens to a call beside its other verbs. Each thing that happens is a
// line of JSON on standard output, with the time.
//
//   AUTH_TOKEN=… node app.js KEY.pem CERT.pem    the first line is the port
const fs = require('fs')
const https = require('https')
const twilio = require('twilio')
const { WebSocketServer } = require('ws')

const token = process.env.AUTH_TOKEN
const tell = (event, more = {}) => console.log(JSON.stringify({ event, at: Date.now(), ...more }))

const documents = {
  '/echo': (host) => {
    const response = new twilio.twiml.VoiceResponse()
    const stream = response.connect().stream({ url: `wss://${host}/media`, statusCallback: `https://${host}/status` })
    stream.parameter({ name: 'greeting', value: 'Grüße & "more"' })
    response.play({ loop: 0 }, `https://${host}/after.wav`)
    return response
  },
  '/fork': (host) => {
    const response = new twilio.twiml.VoiceResponse()
    response.start().stream({ name: 'ears', url: `wss://${host}/media`, track: 'both_tracks', statusCallback: `https://${host}/status` })
    response.play(`https://${host}/tone.wav`)
    response.stop().stream({ name: 'ears' })
    response.pause({ length: 20 })
    return response
  },
}

// ulaw is how a sample is written in μ-law (G.711).
const ulaw = (sample) => {
  const sign = sample < 0 ? 0x80 : 0
  const magnitude = Math.min(Math.abs(sample), 32635) + 132
  const exponent = Math.floor(Math.log2(magnitude)) - 7
  return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff
}

const wave = (hz, seconds) => Array.from({ length: 8000 * seconds }, (_, i) => Math.round(8000 * Math.sin((2 * Math.PI * hz * i) / 8000)))
const tone = (hz, seconds) => Buffer.from(wave(hz, seconds).map(ulaw))

// wav is a tone as a file of 16 bits.
const wav = (hz, seconds) => {
  const samples = wave(hz, seconds)
  const file = Buffer.alloc(44 + 2 * samples.length)
  file.write('RIFF', 0)
  file.writeUInt32LE(36 + 2 * samples.length, 4)
  file.write('WAVEfmt ', 8)
  file.writeUInt32LE(16, 16)
  file.writeUInt16LE(1, 20)
  file.writeUInt16LE(1, 22)
  file.writeUInt32LE(8000, 24)
  file.writeUInt32LE(16000, 28)
  file.writeUInt16LE(2, 32)
  file.writeUInt16LE(16, 34)
  file.write('data', 36)
  file.writeUInt32LE(2 * samples.length, 40)
  samples.forEach((s, i) => file.writeInt16LE(s, 44 + 2 * i))
  return file
}

const sounds = { '/tone.wav': wav(600, 3), '/after.wav': wav(1600, 1) }

const server = https.createServer({ key: fs.readFileSync(process.argv[2]), cert: fs.readFileSync(process.argv[3]) }, (req, res) => {
  let body = ''
  req.on('data', (piece) => { body += piece })
  req.on('end', () => {
    const sound = sounds[req.url]
    if (sound) return res.writeHead(200, { 'Content-Type': 'audio/wav' }).end(sound)
    const form = Object.fromEntries(new URLSearchParams(body))
    if (!twilio.validateRequest(token, req.headers['x-twilio-signature'] ?? '', `https://${req.headers.host}${req.url}`, form)) {
      tell('refused', { url: req.url })
      return res.writeHead(403).end()
    }
    if (req.url === '/status') {
      tell('status', form)
      return res.writeHead(204).end()
    }
    const document = documents[req.url]
    if (!document) return res.writeHead(404).end()
    res.writeHead(200, { 'Content-Type': 'text/xml' }).end(document(req.headers.host).toString())
  })
})

const sockets = new WebSocketServer({
  server,
  path: '/media',
  verifyClient: ({ req }) => {
    const ours = twilio.validateRequest(token, req.headers['x-twilio-signature'] ?? '', `wss://${req.headers.host}${req.url}`, {})
    if (!ours) tell('refused', { url: req.url })
    return ours
  },
})

sockets.on('connection', (socket) => {
  let streamSid
  let fork = false
  let echo = true
  let last = 0 // sequenceNumber
  const chunks = { inbound: 0, outbound: 0 } // how many have come
  const kept = { inbound: [], outbound: [] } // what was said on the tracks of a fork

  const send = (message) => socket.send(JSON.stringify({ streamSid, ...message }))
  // What was sent before, of the echo, would be played first.
  const play = (sound, name) => {
    echo = false
    send({ event: 'clear' })
    send({ event: 'media', media: { payload: sound.toString('base64') } })
    send({ event: 'mark', mark: { name } })
    tell('sent', { name })
  }
  const keys = {
    1: () => play(tone(600, 2), 'two seconds'),
    2: () => play(tone(1300, 20), 'twenty seconds'),
    3: () => { send({ event: 'clear' }); tell('cleared') },
    4: () => { echo = true },
    9: () => socket.close(),
  }

  const events = {
    connected: (m) => tell('connected', { protocol: m.protocol, version: m.version }),
    start: (m) => {
      streamSid = m.start.streamSid
      fork = m.start.tracks.length > 1
      tell('start', { start: m.start, same: m.streamSid === streamSid })
    },
    media: (m) => {
      const { track, chunk, timestamp, payload } = m.media
      chunks[track]++
      if (chunk !== String(chunks[track]) || typeof timestamp !== 'string') tell('wrong', { media: { track, chunk, timestamp } })
      if (fork) kept[track].push(Buffer.from(payload, 'base64'))
      else if (echo) send({ event: 'media', media: { payload } })
    },
    dtmf: (m) => {
      tell('dtmf', { dtmf: m.dtmf })
      keys[m.dtmf.digit]?.()
    },
    mark: (m) => tell('mark', { name: m.mark.name }),
    stop: (m) => tell('stop', { stop: m.stop, chunks, inbound: Buffer.concat(kept.inbound).toString('base64'), outbound: Buffer.concat(kept.outbound).toString('base64') }),
  }
  socket.on('message', (text) => {
    const m = JSON.parse(text)
    if (m.event !== 'connected') {
      last++
      if (m.sequenceNumber !== String(last) || m.streamSid !== (streamSid ?? m.streamSid)) tell('wrong', { sequenceNumber: m.sequenceNumber, want: last })
    }
    const known = events[m.event]
    if (known) known(m)
    else tell('wrong', { message: m.event })
  })
  socket.on('error', (error) => tell('wrong', { error: error.message }))
  socket.on('close', (code) => tell('closed', { code }))
})

server.listen(0, '127.0.0.1', () => console.log(server.address().port))
