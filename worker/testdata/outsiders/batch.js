#!/usr/bin/env node
// workqueue, mode batch: one item a line on standard input, its name is its line from 1.
'use strict';
const fs = require('fs');
const crypto = require('crypto');

function say(message) {
  let data = Buffer.from(JSON.stringify(message) + '\n');
  while (data.length) {
    try {
      data = data.subarray(fs.writeSync(3, data));
    } catch (e) {
      if (e.code !== 'EAGAIN') throw e; // the page does not say whether descriptor 3 blocks
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

function appendToLedger(item) {
  const fd = fs.openSync(process.env.LEDGER, 'a');
  try {
    fs.writeSync(fd, Buffer.concat([item, Buffer.from('\n')]));
  } finally {
    fs.closeSync(fd);
  }
}

// A snooze is no attempt, so the program itself remembers a second try.
function firstTime(item) {
  const folder = process.env.LEDGER + '.later';
  fs.mkdirSync(folder, { recursive: true });
  try {
    fs.closeSync(fs.openSync(folder + '/' + crypto.createHash('sha256').update(item).digest('hex'), 'wx'));
    return true;
  } catch (e) {
    if (e.code === 'EEXIST') return false;
    throw e;
  }
}

function doneFields(item) {
  const text = item.toString();
  const utf8 = Buffer.from(text).equals(item);
  const code = (s) => (utf8 ? s.toString() : s.toString('base64'));
  const fields = { result: utf8 ? text.toUpperCase() : code(item) };
  if (!utf8) fields.encoding = 'base64';
  // A child contains "parent" too: without the second test the queue would never end.
  if (item.includes('parent') && !text.startsWith('child-of-')) {
    fields.push = [code(Buffer.concat([Buffer.from('child-of-'), item]))];
  }
  return fields;
}

function process1(id, item) {
  console.log(JSON.stringify({ level: 'info', id, status: 'failed', msg: 'about to start ' + item }));
  if (item.includes('bad')) {
    say({ id, status: 'failed', reason: 'bad item: ' + item });
  } else if (item.includes('hopeless')) {
    say({ id, status: 'dead', reason: 'hopeless item: ' + item });
  } else if (item.includes('later') && firstTime(item)) {
    say({ id, status: 'snoozed', reason: 'not now: ' + item });
  } else {
    appendToLedger(item);
    say({ id, status: 'done', ...doneFields(item) });
  }
  console.log(id + ' done');
}

function attempt(id, item) {
  try {
    process1(id, item);
  } catch (e) {
    console.log(e.stack);
    say({ id, status: 'failed', reason: String(e) });
  }
}

// Only \n ends a line. (readline would also split at \r, U+2028 and U+2029.)
function lines(onLine, onEnd) {
  let rest = [];
  process.stdin.on('data', (chunk) => {
    let at;
    while ((at = chunk.indexOf(10)) >= 0) {
      onLine(Buffer.concat([...rest, chunk.subarray(0, at)]));
      rest = [];
      chunk = chunk.subarray(at + 1);
    }
    if (chunk.length) rest.push(chunk);
  });
  process.stdin.on('end', () => {
    if (rest.length) onLine(Buffer.concat(rest));
    onEnd();
  });
}

const items = [];
lines((item) => items.push(item), () => {
  // The last item is finished first.
  items.forEach((item, i) => setTimeout(() => attempt(String(i + 1), item), 3 * (items.length - i)));
});
