// BullMQ with a processor that does nothing; jobs are removed once completed, so that Redis does not fill up.
import { Queue, Worker } from 'bullmq';
import { concurrency, connection, counter, inChunks, report } from './peer.js';

if (process.argv[2] === 'seed') {
  const queue = new Queue('bench', { connection, defaultJobOptions: { removeOnComplete: true } });
  await inChunks((chunk) => queue.addBulk(chunk.map((payload) => ({ name: 'item', data: payload }))));
  report('bullmq', 0);
} else {
  let worker;
  const count = counter(async (seconds) => {
    setImmediate(async () => {
      await worker.close();
      report('bullmq', seconds);
    });
  });
  worker = new Worker('bench', async () => count(), { connection, concurrency });
  worker.on('error', (error) => console.error(error));
}
