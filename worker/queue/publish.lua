-- publish.lua: makes a staged seed part of the queue, all of it or nothing, and at most once.
--
-- KEYS[1] ready    LIST  raw payloads
-- KEYS[2] state    HASH  epoch, counters and times of the run
-- KEYS[3] staging  LIST  the payloads of this seed, in order; private to one seeder
-- KEYS[4..6] dead, results, workers: kept from expiring if an earlier run had drained
--
-- ARGV[1] name of the seed: a second seed of that name adds nothing
-- ARGV[2] number of items the seeder has staged
-- ARGV[3] epoch to use if the queue has none yet
-- ARGV[4] '1' to seal the queue
--
-- Reply: { outcome, items of the seed of this name }
--   outcome: published | already (the staged items were dropped) | incomplete (nothing was changed: Redis
--   holds another number of staged items than the seeder sent)
local ready, state, staging = KEYS[1], KEYS[2], KEYS[3]
local seed, staged = 'seed:' .. ARGV[1], tonumber(ARGV[2])
local call = redis.call

local function seal()
  if ARGV[4] == '1' then call('HSET', state, 'sealed', 1) end
end

local before = call('HGET', state, seed)
if before then
  seal()
  call('DEL', staging)
  return { 'already', tonumber(before) }
end
if call('LLEN', staging) ~= staged then
  return { 'incomplete', call('LLEN', staging) }
end

local time = call('TIME')
call('HSETNX', state, 'epoch', ARGV[3])
call('HSET', state, seed, staged, 'seeded_at', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
if staged > 0 then
  if call('EXISTS', ready) == 0 then
    call('RENAME', staging, ready)
    call('PERSIST', ready)
  else
    repeat
      local some = call('LPOP', staging, 1000)
      if some then call('RPUSH', ready, unpack(some)) end
    until not some
  end
  call('HINCRBY', state, 'seeded', staged)
  call('HDEL', state, 'finished_at')
  for _, key in ipairs({ state, KEYS[4], KEYS[5], KEYS[6] }) do call('PERSIST', key) end
end
seal()
return { 'published', staged }
