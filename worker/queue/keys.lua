-- keys.lua is put in front of every other script of this folder. It names the keys of a queue, which each script gets in this order:
--
-- KEYS[1] ready     LIST    raw payloads, first in first out; the only key that others may write
-- KEYS[2] state     HASH    epoch, counters, times and flags of the run; see below
-- KEYS[3] leases    ZSET    batch id, scored by the time in ms at which its lease expires
-- KEYS[4] delayed   ZSET    envelope, scored by the time in ms at which it is due
-- KEYS[5] suspects  LIST    envelopes of items that were aboard two crashes; leased one at a time
-- KEYS[6] dead      STREAM  dead letters
-- KEYS[7] results   STREAM  outcomes that carry a result
-- KEYS[8] workers   HASH    worker id -> number of its last call
-- KEYS[9] joining   LIST    names of lists, once staged and now published, that join the end of `ready` bit by bit
-- KEYS[10]          the prefix that all keys but `ready` share; no key has that very name
--
-- An open batch has two more keys: <prefix>b:<batch id> and <prefix>d:<batch id>, see exchange.lua.
--
-- The life of a run, as its state has it:
--   unseeded  there is no epoch. A worker waits; one that has seen an epoch before reports that the run has vanished
--   open      publish.lua or a seal has written the epoch. Nothing expires
--   left      all workers have left a sealed run in an orderly way: all keys expire together after the retention, and the run is
--             unseeded again. Whoever goes on with it before makes it open
--   drained   finished_at is set: the records of items expire after the retention. The state, some hundred bytes, stays until
--             a purge. So the same seed adds nothing, and a worker made later finds the run drained, at any time after. Only if
--             the queue will have no other seed, its state expires too. New items make it open
-- Data that Redis has lost shows in each of them: the epoch is gone or another, or fewer items were taken and are waiting than
-- were seeded. Other fields of the state:
--   seed:<name>  number of items of the seed of that name
--   began_at     time in ms at which somebody first seeded the queue, or tried to
--   seeder …     who seeds the queue, see seeding.lua
--   taken        items that were leased for the first time, so the id of the last of them
--   unjoined     items in the lists that `joining` names
--   heard        time of the last call, give or take half a second
--   alone        suspects that run now
--   isolated     worker that makes itself free for a suspect, and until when
--   settings     JSON, of the worker that started last
--   used_until   time in ms, with a fraction, up to which the items that were leased use up the rate
--   limited_until  time in ms until which the rate allows no more
--   last_step    what has become of the last step, see laststep.lua; absent while no worker has one
--   turn         what the last batch was of, when there were due and fresh items: due | fresh
--
-- An envelope is an item that was leased before: id ':' attempts ':' crashes ':' snoozes ':' group ':' payload.
--   crashes  workers that died while they had the item; beyond the second, only those that ran it alone are counted
--   group    how many items may be leased together with this one, itself included; 0 for any number
local ready, state, leases, delayed, suspects, dead, results, workers, joining, prefix = unpack(KEYS, 1, 10)
local call = redis.call

local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000) -- ms since 1970, which a double holds exactly

local function envelope(id, attempts, crashes, snoozes, group, payload)
  return id .. ':' .. attempts .. ':' .. crashes .. ':' .. snoozes .. ':' .. group .. ':' .. payload
end

-- each_key calls f for all keys that a queue has while no batch is open.
local function each_key(f)
  for _, key in ipairs(call('LRANGE', joining, 0, -1)) do f(key) end
  for i = 1, 9 do f(KEYS[i]) end
end

-- forget_last_step makes the last step run again, at the next end of the run.
local function forget_last_step()
  call('HDEL', state, 'last_step', 'last_worker', 'last_until', 'last_attempts', 'last_crashes', 'last_record')
end

-- reopen makes the keys of a run that had ended, or was left by its workers, stay for good again.
local function reopen()
  each_key(function(key) call('PERSIST', key) end)
  call('HDEL', state, 'finished_at', 'left')
end
