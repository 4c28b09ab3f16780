package corpus

// sentences are the phrasebook's sentence patterns; patterns says how to read
// them, part what a slot may be. German nouns are declined by the determiner
// of their slot, named in its masculine form.
const sentences = `
# People
This is my {family}. = Das ist {mein family}.
May I introduce my {family} to you? = Darf ich Ihnen {meinen family} vorstellen?
I am travelling with my {family}. = Ich reise mit {meinem family}.
I am looking for my {family}. = Ich suche {meinen family}.
My {him} is {a job}. = {mein him} ist {job} von Beruf.
My {her} is {a jobher}. = {mein her} ist {jobher} von Beruf.
My {family} is {age} years old. = {mein family} ist {age} Jahre alt.
We have {few} {+ child}. = Wir haben {few} {nom+ child}.
My {family} lives in {city}. = {mein family} wohnt in {city}.
My {family} comes from {country}. = {mein family} kommt aus {country}.
{who} {who:come|comes|come} from {city}. = {who} {who:komme|kommt|kommen} aus {city}.
{who} {who:live|lives|live} in {country} now. = {who} {who:wohne|wohnt|wohnen} jetzt in {country}.
{who} {who:speak|speaks|speak} a little German. = {who} {who:spreche|spricht|sprechen} ein wenig Deutsch.
{who} {who:am|is|are} staying in {city} for {few} days. = {who} {who:bleibe|bleibt|bleiben} {few} Tage in {city}.
{who} {who:am|is|are} on holiday in {country}. = {who} {who:bin|ist|sind} in {country} im Urlaub.
{who} {who:am|is|are} very tired. = {who} {who:bin|ist|sind} sehr müde.
{who} {who:am|is|are} hungry. = {who} {who:habe|hat|haben} Hunger.
{who} {who:am|is|are} thirsty. = {who} {who:habe|hat|haben} Durst.
Thank you very much for your {your}. = Vielen Dank für {Ihren your}.
We are looking forward to your {your}. = Wir freuen uns auf {Ihren your}.
Many greetings from {city}! = Viele Grüße aus {city}!
Good morning! = Guten Morgen!
Good evening! = Guten Abend!
Good night! = Gute Nacht!
Goodbye! = Auf Wiedersehen!
Thank you very much! = Vielen Dank!
You are welcome. = Gern geschehen.
Excuse me, please. = Entschuldigen Sie, bitte.
I am sorry. = Es tut mir leid.
I do not understand you. = Ich verstehe Sie nicht.
Dear Sir or Madam, = Sehr geehrte Damen und Herren,
Yours sincerely, = Mit freundlichen Grüßen
Have a good trip! = Gute Reise!
Enjoy your meal! = Guten Appetit!
Where are the toilets? = Wo sind die Toiletten?

# Plans
{who} would like to {do} {when}. = {who} {who:möchte|möchte|möchten} {when} {do}.
{who} {who:have|has|have} to {do} {when}. = {who} {who:muss|muss|müssen} {when} {do}.
{who} can {do} {when}. = {who} {who:kann|kann|können} {when} {do}.
{who} {who:want|wants|want} to {do} {when}. = {who} {who:will|will|wollen} {when} {do}.
{who} will {do} {when}. = {who} {who:werde|wird|werden} {when} {do}.
{who} should {do} {when}. = {who} {who:sollte|sollte|sollten} {when} {do}.
Where can {me} {do}? = Wo {me:kann|kann|können} {me} {do}?
When can {me} {do}? = Wann {me:kann|kann|können} {me} {do}?
Would you like to {do} {when}? = Möchten Sie {when} {do}?
Do you want to {do} with us? = Wollen Sie mit uns {do}?
Is it possible for us to {do} {when}? = Ist es möglich, dass wir {when} {do}?
I hope that {who} can {do} {when}. = Ich hoffe, dass {who} {when} {do} {who:kann|kann|können}.
I know that {who} {who:have|has|have} to {do}. = Ich weiß, dass {who} {do} {who:muss|muss|müssen}.
{who} cannot come, because {who2} {who2:have|has|have} to {do}. = {who} {who:kann|kann|können} nicht kommen, weil {who2} {do} {who2:muss|muss|müssen}.
If it {falls} {when}, we will {do}. = Wenn es {when} {falls}, werden wir {do}.
If you have time, we can {do} {when}. = Wenn Sie Zeit haben, können wir {when} {do}.
Before we leave, {who} would like to {do}. = Bevor wir abreisen, {who:möchte|möchte|möchten} {who} {do}.
{who} {did} {past}. = {who} {who:habe|hat|haben} {past} {did}.
{who} {went} {past}. = {who} {who:bin|ist|sind} {past} {went}.
{who} slept {sleep} last night. = {who} {who:habe|hat|haben} letzte Nacht {sleep} geschlafen.

# Requests
Could you please {favour}? = Könnten Sie bitte {favour}?
Can you {favour} now? = Können Sie jetzt {favour}?
I would be grateful if you could {favour}. = Ich wäre Ihnen dankbar, wenn Sie {favour} könnten.
May I {allowed} here? = Darf ich hier {allowed}?
Where may we {allowed}? = Wo dürfen wir {allowed}?
You may {allowed} {where}. = Sie dürfen {where} {allowed}.
Do you know whether {the place} is still open? = Wissen Sie, ob {der place} noch geöffnet ist?
Can you tell me where {the place} is? = Können Sie mir sagen, wo {der place} ist?
Can you tell me when {the event} begins? = Können Sie mir sagen, wann {der event} beginnt?
Can you tell me how much {the item} costs? = Können Sie mir sagen, was {der item} kostet?
We wish you {a nice our}. = Wir wünschen Ihnen {einen nice our}.
We had {a nice spent} in {country}. = Wir hatten {einen nice spent} in {country}.
Please let us know whether that is possible. = Bitte teilen Sie uns mit, ob das möglich ist.

# Travel
When does {the next train} to {city} leave? = Wann fährt {der next train} nach {city} ab?
{the next train} to {city} leaves at {hour}. = {der next train} nach {city} fährt um {hour} ab.
{the next train} from {city} arrives at {hour}. = {der next train} aus {city} kommt um {hour} an.
Do you know when {the next train} to {city} leaves? = Wissen Sie, wann {der next train} nach {city} abfährt?
When does {the train} from {city} arrive? = Wann kommt {der train} aus {city} an?
Which platform does {the train} to {city} leave from? = Von welchem Gleis fährt {der train} nach {city} ab?
The train to {city} leaves from platform {few}. = Der Zug nach {city} fährt von Gleis {few} ab.
{the train} to {city} is {number} minutes late. = {der train} nach {city} hat {number} Minuten Verspätung.
Does {this train} go to {city}? = Fährt {dieser train} nach {city}?
{the train} to {city} leaves in {number} minutes. = {der train} nach {city} fährt in {number} Minuten ab.
I would like {a fare} to {city}, please. = Ich möchte bitte {einen fare} nach {city}.
{few} {+ fare} to {city}, please. = {few} {akk+ fare} nach {city}, bitte.
How much is {a fare} to {city}? = Was kostet {ein fare} nach {city}?
The tickets cost {number} euros each. = Die Karten kosten je {number} Euro.
How long does the trip to {city} take {by}? = Wie lange dauert die Fahrt {by} nach {city}?
{who} {who:am|is|are} going to {city} {by} {when}. = {who} {who:fahre|fährt|fahren} {when} {by} nach {city}.
{who} travelled to {city} {by} {past}. = {who} {who:bin|ist|sind} {past} {by} nach {city} gereist.
{who} will come {by} {when}. = {who} {who:werde|wird|werden} {when} {by} kommen.
Do I have to change in {city}? = Muss ich in {city} umsteigen?
You have to change in {city}. = Sie müssen in {city} umsteigen.
You have to get off at {the ordinal halt}. = Sie müssen an {dem ordinal halt} aussteigen.
Where can {me} rent {a vehicle}? = Wo {me:kann|kann|können} {me} {einen vehicle} mieten?
{me} would like to rent {a vehicle} for {few} days. = {me} {me:möchte|möchte|möchten} {einen vehicle} für {few} Tage mieten.
How much is {a vehicle} per day? = Was kostet {ein vehicle} pro Tag?
{who} {who:have|has|have} missed {the train} to {city}. = {who} {who:habe|hat|haben} {den train} nach {city} verpasst.
Our flight to {city} has been cancelled. = Unser Flug nach {city} ist gestrichen worden.
The flight to {city} takes {few} hours. = Der Flug nach {city} dauert {few} Stunden.
Our plane from {city} arrives at {hour}. = Unser Flugzeug aus {city} kommt um {hour} an.
{who} {who:am|is|are} flying to {city} on the {date} of {month}. = {who} {who:fliege|fliegt|fliegen} am {date} {month} nach {city}.
{who} {who:have|has|have} been in {city} for {few} days. = {who} {who:bin|ist|sind} seit {few} Tagen in {city}.
It is {digits} kilometres from {city} to {city2}. = Von {city} nach {city2} sind es {digits} Kilometer.
I have lost my {lost}. = Ich habe {meinen lost} verloren.
I left my {lost} on {the train}. = Ich habe {meinen lost} {im train} vergessen.
Someone has stolen my {lost}. = Jemand hat {meinen lost} gestohlen.
Have you found {a colour lost}? = Haben Sie {einen colour lost} gefunden?
Is this your {lost}? = Ist das {Ihr lost}?
{who} cannot find {the lost}. = {who} {who:kann|kann|können} {den lost} nicht finden.

# Directions
Where is {the place}? = Wo ist {der place}?
Excuse me, where is {the place}? = Entschuldigung, wo ist {der place}?
Excuse me, how do I get to {the place}? = Entschuldigung, wie komme ich {zum place}?
How do {me} get from {the place} to {the place2}? = Wie {me:komme|kommt|kommen} {me} {vom place} {zum place2}?
{the place} is opposite {the place2}. = {der place} liegt gegenüber {dem place2}.
{the place} is behind {the place2}. = {der place} liegt hinter {dem place2}.
{the place} is next to {the place2}. = {der place} liegt neben {dem place2}.
{the place} is near {the place2}. = {der place} liegt in der Nähe {des place2}.
{the place} is between {the place2} and {the place3}. = {der place} liegt zwischen {dem place2} und {dem place3}.
Is there {a near} near here? = Gibt es hier in der Nähe {einen near}?
Where is {the nearest near}? = Wo ist {der nearest near}?
How far is it to {the place}? = Wie weit ist es bis {zum place}?
Is it far from {the place} to {the place2}? = Ist es weit {vom place} bis {zum place2}?
It takes {number} minutes to walk to {the place}. = Zu Fuß braucht man {number} Minuten bis {zum place}.
Turn {side} at {the corner}. = Biegen Sie {am corner} {side} ab.
Walk past {the corner} and then turn {side}. = Gehen Sie {am corner} vorbei und biegen Sie dann {side} ab.
Go straight on to {the place}. = Gehen Sie geradeaus bis {zum place}.
Take the {street} street on the {side}. = Nehmen Sie die {street} Straße {side}.
{the place} is on {the hand handside}. = {der place} ist auf {dem hand handside}.
Does this bus stop at {the stop}? = Hält dieser Bus {am stop}?
This bus goes to {the place}. = Dieser Bus fährt {zum place}.
Which bus goes to {the place}? = Welcher Bus fährt {zum place}?
Bus number {digits} goes to {the place}. = Der Bus Nummer {digits} fährt {zum place}.
Get off at {the stop}. = Steigen Sie {am stop} aus.
Can you show me {the place} on the city map? = Können Sie mir {den place} auf dem Stadtplan zeigen?
I will meet you in front of {the place} at {hour}. = Ich treffe Sie um {hour} vor {dem place}.
Let us meet in front of {the place} at {hour}. = Treffen wir uns um {hour} vor {dem place}.
We are waiting for you in front of {the place}. = Wir warten vor {dem place} auf Sie.
Please take me to {the place}. = Bringen Sie mich bitte {zum place}.
I have lost my way. = Ich habe mich verlaufen.
We have lost our way. = Wir haben uns verlaufen.
`
