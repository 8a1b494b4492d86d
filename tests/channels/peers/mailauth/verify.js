// Verify the DKIM signature of the mail on standard input; the only DNS is the record in the second argument.
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';

const [name, record] = process.argv.slice(2);
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const resolver = async (asked, type) => {
    if (asked === name && type === 'TXT') return [[record]];
    throw Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
};
const { results } = await dkimVerify(Buffer.concat(chunks), { resolver });
console.log(JSON.stringify(results.map(one => ({ result: one.status.result, comment: one.status.comment, signed: one.signingHeaders.keys }))));
