// What a user of the package translate does. Its engine for DeepL has an address that
// cannot be changed, so the one for LibreTranslate is used.
import { Translate } from 'translate';

const { URL: url, KEY: key, ENGLISH: english, GERMAN: german } = process.env;
const translate = Translate({ engine: 'libre', url: `${url}/translate`, key });
const failure = async (f) => {
  try {
    await f();
    return 'none';
  } catch (e) {
    return e.message;
  }
};
console.log(JSON.stringify({
  text: await translate(english, { from: 'english', to: 'de' }),
  other: await translate(german, { from: 'de', to: 'en' }),
  language: await failure(() => translate(english, { from: 'en', to: 'fr' })),
  forbidden: await failure(() => Translate({ engine: 'libre', url: `${url}/translate`, key: 'wrong' })(`${english} Again.`, { from: 'en', to: 'de' })),
}));
