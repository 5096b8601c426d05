// One end of a call by libwebrtc through TURN over TCP, for comparison: sends a clip with the time drawn into each picture, and writes down when
// pictures of the other end arrive, in the form of a robot's trace. What the ends have to tell each other goes line by line over standard input
// and output.
//
//   node webrtc.mjs '{"modules": FOLDER, "offers": true, "clip": FILE, "width": 640, "height": 480, "rate": 30, "seconds": 30,
//                     "trace": FILE, "turn": "turn:HOST:PORT?transport=tcp", "kbit": 900,
//                     "keep": FILE, "every": 10}'
//
// With `keep` the clip is sent as it is, and one of so many pictures that arrive is written there, I420 without gaps.
import { openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const options = JSON.parse(process.argv[2])
const { RTCPeerConnection, nonstandard } = createRequire(`${options.modules}/`)('@roamhq/wrtc')
const { width, height, rate } = options
const [columns, rows, heights] = [40, 2, 30]
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`)
const micros = () => Math.round((performance.timeOrigin + performance.now()) * 1000)

// CRC-16/IBM-3740, as media/src/barcode.rs has it.
function checksum(time) {
  let crc = 0xffff
  for (let shift = 56n; shift >= 0n; shift -= 8n) {
    crc ^= Number((time >> shift) & 255n) << 8
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff
  }
  return crc
}

function draw(data, time) {
  const bits = (BigInt(time) << 16n) | BigInt(checksum(BigInt(time)))
  const [wide, high] = [width / columns, height / heights]
  for (let row = 0; row < rows; row++) {
    const top = row * high * width
    for (let column = 0; column < columns; column++) {
      const set = (bits >> BigInt(rows * columns - 1 - (row * columns + column))) & 1n
      data.fill(set ? 220 : 32, top + column * wide, top + (column + 1) * wide)
    }
    for (let line = 1; line < high; line++) data.copyWithin(top + line * width, top, top + width)
  }
  for (const plane of [width * height, (width * height * 5) / 4]) data.fill(128, plane, plane + (rows * high * width) / 4)
}

function read(frame) {
  const [wide, high] = [frame.width / columns, frame.height / heights]
  let bits = 0n
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const line = Math.floor((row + 0.5) * high) * frame.width
      const from = line + Math.floor((column + 0.25) * wide)
      const to = Math.max(from + 1, line + Math.floor((column + 0.75) * wide))
      let sum = 0
      for (let at = from; at < to; at++) sum += frame.data[at]
      bits = (bits << 1n) | (sum / (to - from) > 126 ? 1n : 0n)
    }
  }
  const time = bits >> 16n
  return checksum(time) === Number(bits & 0xffffn) ? Number(time) : undefined
}

const turn = { urls: options.turn, username: 'bench', credential: 'bench' }
const connection = new RTCPeerConnection({ iceServers: [turn], iceTransportPolicy: 'relay' })
const source = new nonstandard.RTCVideoSource()
connection.addTrack(source.createTrack())
const trace = []

connection.onicecandidate = ({ candidate }) => candidate && say({ candidate })
connection.ontrack = ({ track }) => {
  const sink = new nonstandard.RTCVideoSink(track)
  const kept = options.keep && openSync(options.keep, 'w')
  let arrived = 0
  sink.onframe = ({ frame }) => {
    if (kept && ++arrived % options.every === 0 && frame.width === width) writeSync(kept, frame.data)
    const [captured, at] = [read(frame), micros()]
    if (captured) trace.push(JSON.stringify({ video: { captured, at, bytes: 0, keyframe: false } }))
  }
}
connection.onconnectionstatechange = () => connection.connectionState === 'connected' && begin()

// What comes before the other end's description is of no use before.
let described
const description = new Promise((resolve) => (described = resolve))
createInterface({ input: process.stdin }).on('line', async (line) => {
  const told = JSON.parse(line)
  if (told.candidate) {
    await description
    await connection.addIceCandidate(told.candidate)
  } else if (told.description) {
    // What the other end says it can take bounds what is sent to it.
    const bound = (sdp) => sdp.replace(/(m=video[^]*?c=IN[^\r\n]*\r\n)/, `$1b=AS:${options.kbit}\r\n`)
    await connection.setRemoteDescription({ ...told.description, sdp: bound(told.description.sdp) })
    described()
    if (told.description.type === 'offer') {
      await connection.setLocalDescription(await connection.createAnswer())
      say({ description: connection.localDescription })
    }
  }
})
if (options.offers) {
  await connection.setLocalDescription(await connection.createOffer())
  say({ description: connection.localDescription })
}

let begun = false
async function begin() {
  if (begun) return
  begun = true
  const clip = readFileSync(options.clip)
  const length = (width * height * 3) / 2
  const start = performance.now()
  const total = options.seconds * rate
  let number = 0
  const next = () => {
    const place = (number % (clip.length / length)) * length
    const data = new Uint8ClampedArray(clip.subarray(place, place + length))
    if (!options.keep) draw(data, micros())
    source.onFrame({ width, height, data })
    number += 1
    if (number < total) setTimeout(next, Math.max(0, start + (number * 1000) / rate - performance.now()))
    else setTimeout(end, 1000)
  }
  next()
}

async function end() {
  let bytes = 0
  for (const [, stat] of await connection.getStats()) if (stat.type === 'outbound-rtp') bytes += stat.bytesSent
  const figures = { figures: { at: micros(), so_far: { bytes_sent: bytes, seconds: options.seconds } } }
  writeFileSync(openSync(options.trace, 'w'), `${[...trace, JSON.stringify(figures)].join('\n')}\n`)
  process.exit(0)
}
