// A telephone menu as a web application. Webhooks come as forms, documents go
// out as XML; what it knows of a call is in a cookie of that call.
//
//   node app.js [PORT]    3000 if not given; 0 takes a free one and prints it
const express = require('express')

const app = express()
app.use(express.urlencoded({ extended: false }))

const say = (text) => `<Say>${text}</Say>`
const answer = (res, verbs) => res.type('text/xml').send(`<?xml version="1.0"?><Response>${verbs}</Response>`)

// menu asks for a key, and after ten seconds of silence begins again.
const menu = (res, before = '') =>
  answer(res, `${before}<Gather numDigits="1" timeout="10" action="/menu" method="POST">${say('For hours press 1, for the desk press 2.')}</Gather>
    <Redirect method="POST">/voice</Redirect>`)

// rounds is how often this call has been here: the cookie counts.
const rounds = (req) => Number(/(?:^|; )rounds=(\d+)/.exec(req.headers.cookie ?? '')?.[1] ?? 0)

app.post('/voice', (req, res) => {
  const round = rounds(req) + 1
  res.cookie('rounds', round)
  if (round > 20) return answer(res, say('Goodbye.') + '<Hangup/>')
  menu(res, round === 1 ? say('Welcome.') : '')
})

app.post('/menu', (req, res) => {
  switch (req.body.Digits) {
    case '1': return answer(res, '<Redirect method="GET">/hours?day=monday</Redirect>')
    case '2': return answer(res, say(`You called ${req.body.To}, round ${rounds(req)}.`) + '<Pause length="2"/>' + say('Nobody is here.'))
    default: return menu(res, say('That is not a choice.'))
  }
})

// A slow route: the database behind it takes 300 ms of real time.
app.get('/hours', (req, res) => {
  setTimeout(() => answer(res, say(`Open on ${req.query.day}, from nine to five.`)), 300)
})

const server = app.listen(Number(process.argv[2] ?? 3000), '127.0.0.1', () => console.log(server.address().port))
