// What a user of deepl-node does. The result is one JSON object.
import * as deepl from 'deepl-node';
import fs from 'node:fs';
import path from 'node:path';

const { URL: serverUrl, KEY: key, DIR: dir, ENGLISH: english, GERMAN: german } = process.env;
const client = new deepl.Translator(key, { serverUrl, maxRetries: 1 });
const failure = async (f) => {
  try {
    await f();
    return 'none';
  } catch (e) {
    return `${e.constructor.name}: ${e.message}`;
  }
};
const out = {};

out.text = await client.translateText(english, 'en', 'de');
out.texts = await client.translateText([english, 'one two'], null, 'DE', { formality: 'prefer_less', splitSentences: 'nonewlines', preserveFormatting: true, context: 'a letter' });
out.english = await client.translateText(german, null, 'en-GB');
if (process.env.HTML) {
  out.html = await client.translateText(process.env.HTML, 'en', 'de', { tagHandling: 'html' });
}
out.sources = await client.getSourceLanguages();
out.targets = await client.getTargetLanguages();

const input = path.join(dir, 'letter.txt');
const output = path.join(dir, 'brief.txt');
fs.writeFileSync(input, english);
out.document = await client.translateDocument(input, output, 'en', 'de');
out.translated = fs.readFileSync(output, 'utf8');
out.unsupported = await failure(() => client.translateDocument(Buffer.from('%PDF-1.7'), fs.createWriteStream(path.join(dir, 'x')), 'en', 'de', { filename: 'a.pdf' }));
const buffer = await client.uploadDocument(Buffer.from(english), null, 'de', { filename: 'grüße.txt' });
const { status } = await client.isDocumentTranslationComplete(buffer);
out.status = status;
await client.downloadDocument(buffer, path.join(dir, 'second.txt'));
out.again = await failure(() => client.downloadDocument(buffer, path.join(dir, 'third.txt')));

out.pairs = await client.getGlossaryLanguagePairs();
const made = await client.createGlossary('Mine', 'en', 'de', new deepl.GlossaryEntries({ entries: { house: 'Haus', street: 'Straße' } }));
out.glossary = await client.getGlossary(made.glossaryId);
out.entries = (await client.getGlossaryEntries(made)).entries();
const terms = await client.createGlossary('Terms', 'en', 'de', new deepl.GlossaryEntries({ entries: { one: 'vier eins', five: 'xqz'.repeat(30) } }));
out.termed = (await client.translateText('one two', 'en', 'de', { glossary: terms })).text;
fs.writeFileSync(input, 'one two three');
await client.translateDocument(input, path.join(dir, 'termed.txt'), 'en', 'de', { glossary: terms.glossaryId });
out.termedDocument = fs.readFileSync(path.join(dir, 'termed.txt'), 'utf8');
out.unwritable = await failure(() => client.translateText('five', 'en', 'de', { glossary: terms }));
out.mismatch = await failure(() => client.translateText('eins', 'de', 'en-GB', { glossary: terms.glossaryId }));
await client.deleteGlossary(terms);
out.list = (await client.listGlossaries()).map((g) => g.name);
const csv = await client.createGlossaryWithCsv('CSV', 'en', 'de', Buffer.from('a,b\nc,d,en,de'));
out.csv = (await client.getGlossaryEntries(csv)).toTsv();
await client.deleteGlossary(made);
await client.deleteGlossary(csv.glossaryId);
out.gone = await failure(() => client.getGlossary(made.glossaryId));

out.usage = await client.getUsage();
out.language = await failure(() => client.translateText('one', 'en', 'fr'));
out.forbidden = await failure(() => new deepl.Translator('wrong', { serverUrl }).getUsage());
const poor = new deepl.Translator(process.env.POOR, { serverUrl, maxRetries: 1 });
out.quota = await failure(() => poor.translateText(english, 'en', 'de'));
out.slow = await failure(async () => {
  for (let i = 0; i < 3; i++) await poor.getUsage();
});
console.log(JSON.stringify(out));
