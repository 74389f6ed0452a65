-- publish.lua: makes a staged seed part of the queue, all of it or nothing, and at most once. No item is moved by it. Only where items
-- are unique and the run has had some does it take time for each item of the seed: some two seconds for 400,000.
--
-- KEYS[1..13]: see keys.lua
-- KEYS[14] staging        LIST  the payloads of this seed, in order; this and the next two are private to one seeder
-- KEYS[15] staging:seen   SET   their fingerprints, if they are unique
-- KEYS[16] staging:known  SET   fingerprints of the items that this seed has left out, because an earlier run has done them
--
-- ARGV[1] name of the seed: a second seed of that name adds nothing
-- ARGV[2] number of items the seeder has staged
-- ARGV[3] epoch to use if the queue has none yet
-- ARGV[4] '1' to seal the queue
-- ARGV[5] '1' if the items of the run are unique
-- ARGV[6] number of items that were left out
-- ARGV[7] the release that the seed belongs to, '' if none
--
-- Reply: { outcome, items of the seed of this name }
--   outcome: published | already (the staged items were dropped) | incomplete (nothing was published: Redis holds another number of
--   staged items than the seeder sent, or the run has had some of the unique items by now)

local staging, staging_seen, staging_known = KEYS[14], KEYS[15], KEYS[16]
local seed, staged, epoch, seal, unique, skipped = 'seed:' .. ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1', ARGV[5] == '1', tonumber(ARGV[6])

-- merge moves the members of one set into another one. A large set takes no time if a small one joins it.
local function merge(from, into)
  local joining, there = call('SCARD', from), call('SCARD', into)
  if joining == 0 then return end
  if there == 0 then
    call('RENAME', from, into)
  elseif joining * 4 > there then
    call('SUNIONSTORE', into, into, from)
    call('UNLINK', from)
  else
    for _ = 1, joining, 1000 do call('SADD', into, unpack(call('SPOP', from, 1000))) end
  end
  call('PERSIST', into)
end

-- see takes in the items of a list that came before anybody knew that they had to be unique.
local function see(list)
  for i = 0, call('LLEN', list) - 1, 1000 do
    for _, payload in ipairs(call('LRANGE', list, i, i + 999)) do call('SADD', seen, fingerprint(payload)) end
  end
end

local function publish()
  local before = call('HGET', state, seed)
  if before then
    call('UNLINK', staging, staging_seen, staging_known)
    return { 'already', tonumber(before) }
  end
  if call('LLEN', staging) ~= staged then return { 'incomplete', call('LLEN', staging) } end
  if unique then
    if call('SCARD', staging_seen) ~= staged then return { 'incomplete', call('SCARD', staging_seen) } end
    if call('HGET', state, 'unique') ~= '1' then
      see(ready)
      for _, list in ipairs(call('LRANGE', joining, 0, -1)) do see(list) end
    end
    if call('EXISTS', seen) == 1 and #call('SINTER', seen, staging_seen) > 0 then return { 'incomplete', staged } end
  end
  if call('HSETNX', state, 'epoch', epoch) == 1 then
    call('PERSIST', state)
    call('HDEL', state, 'last_call') -- it was a seeder's: no worker has called yet
  end
  call('HSET', state, seed, staged)
  call('HSET', state, 'release', ARGV[7])
  call('HSETNX', state, 'began_at', now)
  call('HDEL', state, 'seeder', 'seeder_until', 'seed_attempts', 'seed_error')
  if skipped > 0 then call('HINCRBY', state, 'skipped', skipped) end
  if unique then call('HSET', state, 'unique', 1) end
  if staged > 0 or call('HEXISTS', state, 'finished_at') + call('HEXISTS', state, 'left') == 0 then
    merge(staging_seen, seen)
    merge(staging_known, known)
  else
    call('UNLINK', staging_seen, staging_known) -- the run has ended, and this seed does not open it again
  end
  if staged > 0 then
    call('HINCRBY', state, 'seeded', staged)
    if call('EXISTS', ready) == 0 and call('EXISTS', joining) == 0 then
      call('RENAME', staging, ready)
    else
      local list = prefix .. 'joining:' .. ARGV[1] -- its seeder may delete what has the old name
      call('RENAME', staging, list)
      call('RPUSH', joining, list)
      call('HINCRBY', state, 'unjoined', staged)
    end
    reopen()
  end
  return { 'published', staged }
end

local reply = publish()
if seal and reply[1] ~= 'incomplete' then call('HSET', state, 'sealed', 1) end
return reply
