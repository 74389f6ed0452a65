// Bee-Queue with a handler that does nothing, with the settings that its README gives for throughput.
import Queue from 'bee-queue';
import { concurrency, connection, counter, inChunks, report } from './peer.js';

const settings = { redis: connection, sendEvents: false, storeJobs: false, removeOnSuccess: true };

if (process.argv[2] === 'seed') {
  const queue = new Queue('bench', { ...settings, isWorker: false, getEvents: false });
  await inChunks((chunk) => queue.saveAll(chunk.map((payload) => queue.createJob(payload))));
  report('bee-queue', 0);
} else {
  const queue = new Queue('bench', { ...settings, getEvents: false });
  const count = counter(async (seconds) => {
    await queue.close(10000);
    report('bee-queue', seconds);
  });
  queue.process(concurrency, async () => count());
}
