// What a user of the package libretranslate does.
import { translate } from 'libretranslate';

const { URL: apiurl, KEY: apiKey, ENGLISH: english, GERMAN: german } = process.env;
const out = {
  text: await translate({ query: english, source: 'en', target: 'de', apiurl, apiKey }),
  auto: await translate({ query: german, target: 'en', apiurl, apiKey }),
  texts: await translate({ query: [english, 'one two'], source: 'en', target: 'de', format: 'text', apiurl, apiKey }),
  html: process.env.HTML ? await translate({ query: process.env.HTML, source: 'en', target: 'de', format: 'html', apiurl, apiKey }) : '',
};
try {
  await translate({ query: english, source: 'en', target: 'fr', apiurl, apiKey });
} catch (e) {
  out.language = e.message;
}
console.log(JSON.stringify(out));
