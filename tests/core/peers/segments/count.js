// Answer each line (a JSON string) with one line: [alphabet, parts], as sms-segments-calculator counts them.
import { createInterface } from "node:readline";
import calculator from "sms-segments-calculator";

for await (const line of createInterface({ input: process.stdin })) {
  const counted = new calculator.SegmentedMessage(JSON.parse(line));
  process.stdout.write(`${JSON.stringify([counted.getEncodingName(), counted.segmentsCount])}\n`);
}
