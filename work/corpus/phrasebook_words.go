package corpus

// vocabulary is the phrasebook's lexicon; newLexicon says how to read it.
const vocabulary = `
[who]
I = ich 1; we = wir 6; my husband = mein Mann 3; my wife = meine Frau 3; my son = mein Sohn 3
my daughter = meine Tochter 3; my brother = mein Bruder 3; my sister = meine Schwester 3
my parents = meine Eltern 6; our children = unsere Kinder 6; our friends = unsere Freunde 6
[me]
I = ich 1; we = wir 6
[family]
husband = Mann m; wife = Frau f; son = Sohn m; daughter = Tochter f; brother = Bruder m; sister = Schwester f
mother = Mutter f; father = Vater m; uncle = Onkel m; aunt = Tante f; grandmother = Großmutter f
grandfather = Großvater m; boss = Chef m
[child]
son = Sohn m, Söhne; daughter = Tochter f, Töchter; brother = Bruder m, Brüder; sister = Schwester f, Schwestern
[him]
husband = Mann m; son = Sohn m; brother = Bruder m; father = Vater m; uncle = Onkel m; grandfather = Großvater m
[her]
wife = Frau f; daughter = Tochter f; sister = Schwester f; mother = Mutter f; aunt = Tante f; grandmother = Großmutter f
[title]
Mr = Herr; Mrs = Frau
[name]
Weber = Weber; Schneider = Schneider; Fischer = Fischer; Meyer = Meyer; Wagner = Wagner; Becker = Becker
Hoffmann = Hoffmann; Richter = Richter; Wolf = Wolf; Neumann = Neumann; Zimmermann = Zimmermann; Braun = Braun
[job]
doctor = Arzt; teacher = Lehrer; engineer = Ingenieur; nurse = Krankenpfleger; cook = Koch; lawyer = Anwalt
baker = Bäcker; farmer = Bauer; journalist = Journalist; painter = Maler; waiter = Kellner; student = Student
[jobher]
doctor = Ärztin; teacher = Lehrerin; engineer = Ingenieurin; nurse = Krankenpflegerin; cook = Köchin
lawyer = Anwältin; baker = Bäckerin; journalist = Journalistin; painter = Malerin; student = Studentin

[city]
Berlin = Berlin; Hamburg = Hamburg; Munich = München; Cologne = Köln; Frankfurt = Frankfurt; Stuttgart = Stuttgart
Dresden = Dresden; Leipzig = Leipzig; Nuremberg = Nürnberg; Hanover = Hannover; Bremen = Bremen; Vienna = Wien
Salzburg = Salzburg; Graz = Graz; Zurich = Zürich; Geneva = Genf; Basel = Basel; Bern = Bern; Rome = Rom
Milan = Mailand; Venice = Venedig; Paris = Paris; London = London; Prague = Prag; Warsaw = Warschau
Brussels = Brüssel; Copenhagen = Kopenhagen; Lisbon = Lissabon; Athens = Athen; Madrid = Madrid
[country]
Germany = Deutschland; Austria = Österreich; Italy = Italien; France = Frankreich; Spain = Spanien; Poland = Polen
Portugal = Portugal; Denmark = Dänemark; Sweden = Schweden; Norway = Norwegen; Greece = Griechenland
Ireland = Irland; Scotland = Schottland; Canada = Kanada; Japan = Japan; Hungary = Ungarn; Croatia = Kroatien
[place]
station = Bahnhof m, Bahnhöfe; airport = Flughafen m, Flughäfen; bus stop = Bushaltestelle f, Bushaltestellen
bank = Bank f, Banken; pharmacy, pharmacies = Apotheke f, Apotheken; hospital = Krankenhaus n, Krankenhäuser
supermarket = Supermarkt m, Supermärkte; bakery, bakeries = Bäckerei f, Bäckereien; market = Markt m, Märkte
museum = Museum n, Museen; theatre = Theater n, Theater; cinema = Kino n, Kinos
library, libraries = Bibliothek f, Bibliotheken; church, churches = Kirche f, Kirchen; castle = Schloss n, Schlösser
park = Park m, Parks; hotel = Hotel n, Hotels; restaurant = Restaurant n, Restaurants; café = Café n, Cafés
car park = Parkplatz m, Parkplätze; petrol station = Tankstelle f, Tankstellen; town hall = Rathaus n, Rathäuser
zoo = Zoo m, Zoos; swimming pool = Schwimmbad n, Schwimmbäder; harbour = Hafen m, Häfen
bookshop = Buchhandlung f, Buchhandlungen; campsite = Campingplatz m, Campingplätze
youth hostel = Jugendherberge f, Jugendherbergen; school = Schule f, Schulen; embassy = Botschaft f, Botschaften
[near]
bank = Bank f; pharmacy = Apotheke f; supermarket = Supermarkt m; bakery = Bäckerei f; cinema = Kino n
restaurant = Restaurant n; café = Café n; car park = Parkplatz m; petrol station = Tankstelle f
bus stop = Bushaltestelle f
bookshop = Buchhandlung f; campsite = Campingplatz m; youth hostel = Jugendherberge f; swimming pool = Schwimmbad n
hotel = Hotel n; cash machine = Geldautomat m; hospital = Krankenhaus n; library = Bibliothek f
playground = Spielplatz m
[shop]
bank = Bank f; pharmacy = Apotheke f; supermarket = Supermarkt m; bakery = Bäckerei f; market = Markt m
museum = Museum n; library = Bibliothek f; castle = Schloss n; restaurant = Restaurant n; café = Café n
zoo = Zoo m; swimming pool = Schwimmbad n; bookshop = Buchhandlung f; post office = Post f; gallery = Galerie f
[sight]
castle = Schloss n; cathedral = Dom m; museum = Museum n; town hall = Rathaus n
tower = Turm m; monastery = Kloster n; fortress = Festung f; harbour = Hafen m; gallery = Galerie f
church = Kirche f; lighthouse = Leuchtturm m; windmill = Windmühle f; palace = Palast m; cave = Höhle f
market hall = Markthalle f; garden = Garten m
[stop]
station = Bahnhof m; airport = Flughafen m; museum = Museum n; theatre = Theater n; hospital = Krankenhaus n
town hall = Rathaus n; university = Universität f; zoo = Zoo m; harbour = Hafen m; market = Markt m
church = Kirche f; park = Park m; swimming pool = Schwimmbad n; bridge = Brücke f; school = Schule f; cathedral = Dom m
[corner]
bank = Bank f; church = Kirche f; traffic light = Ampel f; pharmacy = Apotheke f; museum = Museum n; bakery = Bäckerei f
bridge = Brücke f; school = Schule f; petrol station = Tankstelle f; town hall = Rathaus n; crossroads = Kreuzung f
[street]
first = erste; second = zweite; third = dritte; fourth = vierte; next = nächste
[side]
left = links; right = rechts
[hand]
left = link; right = recht
[handside]
side = Seite f
[ordinal]
first = erst; second = zweit; third = dritt; fourth = viert; fifth = fünft; sixth = sechst; seventh = siebt
[floor]
floor = Stock m
[halt]
stop = Haltestelle f
[next]
first = erst; next = nächst; last = letzt
[nearest]
nearest = nächst
[train]
train = Zug m, Züge; bus, buses = Bus m, Busse; coach, coaches = Reisebus m, Reisebusse
express train = Schnellzug m, Schnellzüge
night train = Nachtzug m, Nachtzüge; regional train = Regionalzug m, Regionalzüge
[ride]
train = Zug m; bus = Bus m; tram = Straßenbahn f; ferry = Fähre f; ship = Schiff n; underground = U-Bahn f
[by]
by train = mit dem Zug; by bus = mit dem Bus; by car = mit dem Auto; by bicycle = mit dem Fahrrad
by taxi = mit dem Taxi
by motorbike = mit dem Motorrad; by coach = mit dem Reisebus; by night train = mit dem Nachtzug
[vehicle]
car = Auto n, Autos; bicycle = Fahrrad n, Fahrräder; motorbike = Motorrad n, Motorräder; boat = Boot n, Boote
van = Lieferwagen m, Lieferwagen; camper van = Wohnmobil n, Wohnmobile
[fare]
ticket = Fahrkarte f, Fahrkarten; return ticket = Rückfahrkarte f, Rückfahrkarten

[when]
today = heute; tomorrow = morgen; tonight = heute Abend; this afternoon = heute Nachmittag
tomorrow evening = morgen Abend; tomorrow afternoon = morgen Nachmittag; the day after tomorrow = übermorgen
next week = nächste Woche; next month = nächsten Monat; at the weekend = am Wochenende; on Monday = am Montag
on Tuesday = am Dienstag; on Wednesday = am Mittwoch; on Thursday = am Donnerstag; on Friday = am Freitag
on Saturday = am Samstag; on Sunday = am Sonntag
[past]
yesterday = gestern; yesterday evening = gestern Abend; yesterday afternoon = gestern Nachmittag
the day before yesterday = vorgestern; last week = letzte Woche; last month = letzten Monat; last year = letztes Jahr
last Monday = letzten Montag; last Friday = letzten Freitag; last Saturday = letzten Samstag
last Sunday = letzten Sonntag
last summer = letzten Sommer; last winter = letzten Winter; two days ago = vor zwei Tagen; a week ago = vor einer Woche
[weekdays]
on Mondays = montags; on Tuesdays = dienstags; on Wednesdays = mittwochs; on Thursdays = donnerstags
on Fridays = freitags; on Saturdays = samstags; on Sundays = sonntags; on public holidays = an Feiertagen
[weekday]
Monday = Montag; Tuesday = Dienstag; Wednesday = Mittwoch; Thursday = Donnerstag; Friday = Freitag
Saturday = Samstag; Sunday = Sonntag
[early]
first = ersten; second = zweiten; third = dritten; fourth = vierten; fifth = fünften; sixth = sechsten
seventh = siebten; eighth = achten; ninth = neunten; tenth = zehnten; eleventh = elften; twelfth = zwölften
[late]
thirteenth = dreizehnten; fourteenth = vierzehnten; fifteenth = fünfzehnten; sixteenth = sechzehnten
seventeenth = siebzehnten; eighteenth = achtzehnten; nineteenth = neunzehnten; twentieth = zwanzigsten
twenty-first = einundzwanzigsten; twenty-second = zweiundzwanzigsten; twenty-fifth = fünfundzwanzigsten
[month]
January = Januar; February = Februar; March = März; April = April; May = Mai; June = Juni; July = Juli
August = August; September = September; October = Oktober; November = November; December = Dezember
[season]
spring = Frühling; summer = Sommer; autumn = Herbst; winter = Winter
[date]
first = ersten; second = zweiten; third = dritten; fourth = vierten; fifth = fünften; sixth = sechsten
seventh = siebten; eighth = achten; ninth = neunten; tenth = zehnten; eleventh = elften; twelfth = zwölften
thirteenth = dreizehnten; fourteenth = vierzehnten; fifteenth = fünfzehnten; sixteenth = sechzehnten
seventeenth = siebzehnten; eighteenth = achtzehnten; nineteenth = neunzehnten; twentieth = zwanzigsten
twenty-first = einundzwanzigsten; twenty-second = zweiundzwanzigsten; twenty-fifth = fünfundzwanzigsten
twenty-eighth = achtundzwanzigsten
[hour]
one o'clock = ein Uhr; two o'clock = zwei Uhr; three o'clock = drei Uhr; four o'clock = vier Uhr
five o'clock = fünf Uhr
six o'clock = sechs Uhr; seven o'clock = sieben Uhr; eight o'clock = acht Uhr; nine o'clock = neun Uhr
ten o'clock = zehn Uhr
eleven o'clock = elf Uhr; twelve o'clock = zwölf Uhr; half past one = halb zwei; half past two = halb drei
half past three = halb vier; half past four = halb fünf; half past five = halb sechs; half past six = halb sieben
half past seven = halb acht; half past eight = halb neun; half past nine = halb zehn; half past ten = halb elf
half past eleven = halb zwölf; half past twelve = halb eins; a quarter past six = Viertel nach sechs
a quarter past seven = Viertel nach sieben; a quarter past eight = Viertel nach acht
a quarter past nine = Viertel nach neun
a quarter past ten = Viertel nach zehn; a quarter to six = Viertel vor sechs; a quarter to seven = Viertel vor sieben
a quarter to eight = Viertel vor acht; a quarter to nine = Viertel vor neun; a quarter to ten = Viertel vor zehn
[open]
seven o'clock = sieben Uhr; eight o'clock = acht Uhr; nine o'clock = neun Uhr; ten o'clock = zehn Uhr
half past seven = halb acht; half past eight = halb neun; half past nine = halb zehn
a quarter past eight = Viertel nach acht
[close]
four o'clock = vier Uhr; five o'clock = fünf Uhr; six o'clock = sechs Uhr; half past four = halb fünf
half past five = halb sechs
half past six = halb sieben; a quarter to six = Viertel vor sechs; half past three = halb vier
[few]
two = zwei; three = drei; four = vier; five = fünf; six = sechs; seven = sieben; eight = acht; nine = neun; ten = zehn
[digits]
12 = 12; 17 = 17; 24 = 24; 36 = 36; 41 = 41; 58 = 58; 63 = 63; 75 = 75; 89 = 89; 104 = 104; 107 = 107; 112 = 112
118 = 118; 203 = 203; 205 = 205; 216 = 216; 221 = 221; 309 = 309; 314 = 314; 327 = 327; 402 = 402; 410 = 410; 433 = 433
506 = 506; 518 = 518; 525 = 525; 601 = 601; 639 = 639; 742 = 742; 850 = 850; 967 = 967

[room]
single room = Einzelzimmer n, Einzelzimmer; double room = Doppelzimmer n, Doppelzimmer; suite = Suite f, Suiten
family room = Familienzimmer n, Familienzimmer; holiday flat = Ferienwohnung f, Ferienwohnungen
[with]
a balcony = Balkon; a sea view = Meerblick; breakfast = Frühstück; a bath = Bad; a shower = Dusche; a terrace = Terrasse
a kitchen = Küche; a fireplace = Kamin; half board = Halbpension; full board = Vollpension
internet access = Internetzugang
[device]
heating = Heizung f; shower = Dusche f; lamp = Lampe f; television = Fernseher m; toilet = Toilette f; lift = Aufzug m
air conditioning = Klimaanlage f; fridge = Kühlschrank m; coffee machine = Kaffeemaschine f; safe = Safe m
telephone = Telefon n; washing machine = Waschmaschine f; hairdryer = Föhn m; radio = Radio n
dishwasher = Spülmaschine f
[amenity]
safe = Safe m; fridge = Kühlschrank m; television = Fernseher m; telephone = Telefon n; radio = Radio n
shower = Dusche f
coffee machine = Kaffeemaschine f; hairdryer = Föhn m
[fixture]
window = Fenster n; door = Tür f; lamp = Lampe f; bed = Bett n; mirror = Spiegel m; chair = Stuhl m; table = Tisch m
shower = Dusche f; wardrobe = Schrank m; lock = Schloss n; tap = Wasserhahn m
[linen]
towel = Handtuch n, Handtücher; pillow = Kissen n, Kissen; blanket = Decke f, Decken; key = Schlüssel m, Schlüssel
glass, glasses = Glas n, Gläser; cup = Tasse f, Tassen; plate = Teller m, Teller; candle = Kerze f, Kerzen
chair = Stuhl m, Stühle; spoon = Löffel m, Löffel; fork = Gabel f, Gabeln; knife, knives = Messer n, Messer
coat hanger = Kleiderbügel m, Kleiderbügel
[roombad]
loud = laut; small = klein; dark = dunkel; cold = kalt; warm = warm; expensive = teuer; dirty = schmutzig; hot = heiß
[roomgood]
quiet = ruhig; clean = sauber; bright = hell; comfortable = gemütlich; large = groß; modern = modern
pleasant = angenehm
[roomother]
larger = größer; smaller = kleiner; cheaper = billiger; quieter = ruhiger; brighter = heller
[where]
in the room = im Zimmer; in the bathroom = im Badezimmer; in the kitchen = in der Küche; in the corridor = im Flur
in the lobby = in der Lobby; on the balcony = auf dem Balkon; in the garden = im Garten; in the cellar = im Keller

[dish]
tomato soup = Tomatensuppe f; potato salad = Kartoffelsalat m; trout = Forelle f; salmon = Lachs m; steak = Steak n
schnitzel = Schnitzel n; vegetable soup = Gemüsesuppe f; lentil soup = Linsensuppe f; omelette = Omelett n
pizza = Pizza f
goulash = Gulasch n; apple cake = Apfelkuchen m; chocolate cake = Schokoladenkuchen m; fruit salad = Obstsalat m
cheesecake = Käsekuchen m; noodle soup = Nudelsuppe f; pancake = Pfannkuchen m; duck = Ente f
roast beef = Rinderbraten m
cheese sandwich = Käsebrot n; ham sandwich = Schinkenbrot n; risotto = Risotto n; vegetable curry = Gemüsecurry n
[drink]
coffee = Kaffee m; tea = Tee m; beer = Bier n; red wine = Rotwein m; white wine = Weißwein m; lemonade = Limonade f
mineral water = Mineralwasser n; apple juice = Apfelsaft m; orange juice = Orangensaft m; cocoa = Kakao m
iced tea = Eistee m; espresso = Espresso m; herbal tea = Kräutertee m; tomato juice = Tomatensaft m
sparkling wine = Sekt m
[morning]
coffee = Kaffee; tea = Tee; milk = Milch; cocoa = Kakao; orange juice = Orangensaft; herbal tea = Kräutertee
mineral water = Mineralwasser; apple juice = Apfelsaft
[stuff]
bread = Brot n; butter = Butter f; cheese = Käse m; milk = Milch f; ham = Schinken m; sugar = Zucker m; salt = Salz n
rice = Reis m; honey = Honig m; jam = Marmelade f; fish = Fisch m; meat = Fleisch n; fruit = Obst n; yoghurt = Joghurt m
mustard = Senf m; garlic = Knoblauch m; cream = Sahne f; pepper = Pfeffer m; water = Wasser n; ice cream = Eis n
[eat]
bread = Brot n; cheese = Käse m; ham = Schinken m; rice = Reis m; honey = Honig m; jam = Marmelade f; fish = Fisch m
meat = Fleisch n; fruit = Obst n; yoghurt = Joghurt m; garlic = Knoblauch m; ice cream = Eis n; butter = Butter f
[fruit]
apple = Apfel m, Äpfel; pear = Birne f, Birnen; orange = Orange f, Orangen; banana = Banane f, Bananen
lemon = Zitrone f, Zitronen; tomato, tomatoes = Tomate f, Tomaten; potato, potatoes = Kartoffel f, Kartoffeln
onion = Zwiebel f, Zwiebeln; carrot = Karotte f, Karotten; mushroom = Pilz m, Pilze
cherry, cherries = Kirsche f, Kirschen; strawberry, strawberries = Erdbeere f, Erdbeeren; cucumber = Gurke f, Gurken
plum = Pflaume f, Pflaumen; peach, peaches = Pfirsich m, Pfirsiche; grape = Traube f, Trauben
[foodbad]
cold = kalt; salty = salzig; sweet = süß; spicy = scharf; hot = heiß; sour = sauer; greasy = fettig; dry = trocken
[foodgood]
delicious = köstlich; very good = sehr gut; excellent = ausgezeichnet; fresh = frisch; tasty = lecker
[meal]
breakfast = Frühstück n; lunch = Mittagessen n; dinner = Abendessen n
[free]
meat = Fleisch; fish = Fisch; milk = Milch; sugar = Zucker; garlic = Knoblauch; nuts = Nüsse; eggs = Eier
onions = Zwiebeln
cream = Sahne; salt = Salz; pork = Schweinefleisch; butter = Butter; alcohol = Alkohol; cheese = Käse
tomatoes = Tomaten
[packing]
a kilo of = ein Kilo; two kilos of = zwei Kilo; half a kilo of = ein halbes Kilo; a bag of = eine Tüte
three kilos of = drei Kilo

[clothes]
jacket = Jacke f, Jacken; shirt = Hemd n, Hemden; dress, dresses = Kleid n, Kleider; coat = Mantel m, Mäntel
hat = Hut m, Hüte; skirt = Rock m, Röcke; sweater = Pullover m, Pullover; scarf, scarves = Schal m, Schals
belt = Gürtel m, Gürtel; blouse = Bluse f, Blusen; suit = Anzug m, Anzüge; cap = Mütze f, Mützen
raincoat = Regenmantel m, Regenmäntel; bag = Tasche f, Taschen; tie = Krawatte f, Krawatten
backpack = Rucksack m, Rucksäcke
[item]
umbrella = Regenschirm m, Regenschirme; watch, watches = Uhr f, Uhren; postcard = Postkarte f, Postkarten
book = Buch n, Bücher; newspaper = Zeitung f, Zeitungen; candle = Kerze f, Kerzen; vase = Vase f, Vasen
ring = Ring m, Ringe
camera = Kamera f, Kameras; battery, batteries = Batterie f, Batterien; stamp = Briefmarke f, Briefmarken
toothbrush, toothbrushes = Zahnbürste f, Zahnbürsten; notebook = Notizbuch n, Notizbücher
pen = Kugelschreiber m, Kugelschreiber
calendar = Kalender m, Kalender; souvenir = Andenken n, Andenken; suitcase = Koffer m, Koffer; lamp = Lampe f, Lampen
map = Landkarte f, Landkarten; picture = Bild n, Bilder; clock = Wanduhr f, Wanduhren
[lost]
passport = Reisepass m; wallet = Brieftasche f; key = Schlüssel m; phone = Handy n; credit card = Kreditkarte f
ticket = Fahrkarte f; suitcase = Koffer m; camera = Kamera f; umbrella = Regenschirm m; backpack = Rucksack m
identity card = Ausweis m; handbag = Handtasche f; coat = Mantel m; hat = Hut m; notebook = Notizbuch n; watch = Uhr f
[colour]
red = rot; blue = blau; green = grün; black = schwarz; white = weiß; yellow = gelb; grey = grau; brown = braun
dark blue = dunkelblau; light blue = hellblau
[incolour]
red = Rot; blue = Blau; green = Grün; black = Schwarz; white = Weiß; yellow = Gelb; grey = Grau; brown = Braun
[size]
large = groß; small = klein; long = lang; short = kurz; wide = weit; tight = eng; thin = dünn; thick = dick
heavy = schwer
expensive = teuer; warm = warm
[other]
larger = größer; smaller = kleiner; cheaper = billiger; lighter = leichter; longer = länger; shorter = kürzer
warmer = wärmer
[new]
new = neu; warm = warm; light = leicht; simple = einfach; good = gut; cheap = billig; beautiful = schön; modern = modern
[newitem]
new = neu; beautiful = schön; cheap = billig; good = gut; small = klein; large = groß; old = alt; expensive = teuer/teur
simple = einfach; modern = modern
[pretty]
beautiful = schön; expensive = teuer; cheap = billig; heavy = schwer; practical = praktisch; old = alt
[view]
old = alt; beautiful = schön; famous = berühmt; large = groß; small = klein; new = neu; interesting = interessant
quiet = ruhig
[sightis]
beautiful = schön; interesting = interessant; impressive = beeindruckend; famous = berühmt; old = alt
closed = geschlossen
crowded = überfüllt; open = geöffnet; far away = weit weg; worth seeing = sehenswert; wonderful = wunderbar
boring = langweilig
[opinion]
beautiful = schön; interesting = interessant; impressive = beeindruckend; boring = langweilig; wonderful = wunderbar
[than]
older = älter; larger = größer; more beautiful = schöner; smaller = kleiner; more famous = berühmter
more interesting = interessanter

[weather]
sunny = sonnig; cloudy = bewölkt; windy = windig; cold = kalt; warm = warm; hot = heiß; foggy = neblig
rainy = regnerisch
stormy = stürmisch; cool = kühl; humid = schwül; dry = trocken; mild = mild
[fall]
rain = regnen; snow = schneien; hail = hageln
[falls]
rains = regnet; snows = schneit; hails = hagelt
[place2be]
in the mountains = in den Bergen; by the sea = am Meer; in the north = im Norden; in the south = im Süden; here = hier
on the coast = an der Küste; in the city = in der Stadt; by the lake = am See; on the island = auf der Insel
in the country = auf dem Land; in the valley = im Tal; in the village = im Dorf

[body]
head = Kopf m; back = Rücken m; knee = Knie n; foot = Fuß m; arm = Arm m; hand = Hand f; ear = Ohr n; tooth = Zahn m
stomach = Bauch m; shoulder = Schulter f; leg = Bein n; eye = Auge n; throat = Hals m; ankle = Knöchel m
neck = Nacken m
finger = Finger m; elbow = Ellbogen m
[ill]
a cold = eine Erkältung; a headache = Kopfschmerzen; a fever = Fieber; a cough = Husten; toothache = Zahnschmerzen
stomach ache = Bauchschmerzen; a sore throat = Halsschmerzen; back pain = Rückenschmerzen; earache = Ohrenschmerzen
a rash = einen Ausschlag; a runny nose = Schnupfen; sunburn = Sonnenbrand; hay fever = Heuschnupfen
[allergy]
nuts = Nüsse; milk = Milch; fish = Fisch; eggs = Eier; dogs = Hunde; cats = Katzen; bee stings = Bienenstiche
dust = Staub
strawberries = Erdbeeren; penicillin = Penicillin; pollen = Pollen; wheat = Weizen
[medicine]
plaster = Pflaster n; bandage = Verband m; ointment = Salbe f; prescription = Rezept n; thermometer = Thermometer n
painkiller = Schmerzmittel n; appointment = Termin m; cough syrup = Hustensaft m
[times]
once a day = einmal am Tag; twice a day = zweimal am Tag; three times a day = dreimal am Tag
every morning = jeden Morgen
every evening = jeden Abend; every six hours = alle sechs Stunden; before meals = vor dem Essen
after meals = nach dem Essen
[remedy]
tablet = Tablette f, Tabletten; drop = Tropfen m, Tropfen; capsule = Kapsel f, Kapseln
spoonful, spoonfuls = Löffel m, Löffel
[limb]
leg = Bein n; arm = Arm m; ankle = Knöchel m; finger = Finger m; foot = Fuß m; elbow = Ellbogen m; hand = Hand f
nose = Nase f

[do]
book a room = ein Zimmer buchen; rent a car = ein Auto mieten; rent a boat = ein Boot mieten
rent bicycles = Fahrräder mieten
buy tickets = Fahrkarten kaufen; change money = Geld wechseln; pay by card = mit Karte bezahlen
pay the bill = die Rechnung bezahlen
order a taxi = ein Taxi bestellen; reserve a table = einen Tisch reservieren; visit the castle = das Schloss besichtigen
visit the museum = das Museum besuchen; go swimming = schwimmen gehen; go hiking = wandern gehen
go shopping = einkaufen gehen
go dancing = tanzen gehen; have breakfast = frühstücken; have lunch = zu Mittag essen; have dinner = zu Abend essen
take photos = Fotos machen; send a letter = einen Brief schicken; send a parcel = ein Paket schicken
park the car = das Auto parken
wash the clothes = die Wäsche waschen; go to the doctor = zum Arzt gehen; go to the beach = an den Strand gehen
go to the cinema = ins Kino gehen; go to the theatre = ins Theater gehen; go to the market = auf den Markt gehen
take the train = den Zug nehmen; take the bus = den Bus nehmen; take the ferry = die Fähre nehmen
cancel the booking = die Buchung stornieren; change rooms = das Zimmer wechseln
pick up the tickets = die Karten abholen
learn German = Deutsch lernen; play tennis = Tennis spielen; ride a bicycle = Fahrrad fahren; ski = Ski fahren
watch television = fernsehen; listen to music = Musik hören; buy souvenirs = Andenken kaufen; eat ice cream = Eis essen
drink coffee = Kaffee trinken; take a boat trip = eine Bootsfahrt machen; take a walk = spazieren gehen
take a guided tour = eine Führung machen; meet friends = Freunde treffen; cook dinner = das Abendessen kochen
use the internet = das Internet benutzen; visit the old town = die Altstadt besichtigen
buy a present = ein Geschenk kaufen
climb the tower = auf den Turm steigen; see the cathedral = den Dom sehen; eat fish = Fisch essen
[allowed]
smoke = rauchen; park = parken; take photos = Fotos machen; swim = schwimmen; pay by card = mit Karte bezahlen
camp = zelten
fish = angeln; wait = warten; sit down = Platz nehmen; change money = Geld wechseln; rent a boat = ein Boot mieten
buy stamps = Briefmarken kaufen; use the internet = das Internet benutzen; have breakfast = frühstücken
play tennis = Tennis spielen
charge the phone = das Handy aufladen; leave the luggage = das Gepäck abstellen; ride a bicycle = Fahrrad fahren
[indoors]
smoke = rauchen; wait = warten; sit down = Platz nehmen; have breakfast = frühstücken; take photos = Fotos machen
use the internet = das Internet benutzen; charge the phone = das Handy aufladen
leave the luggage = das Gepäck abstellen
[did]
booked a room = ein Zimmer gebucht; rented a car = ein Auto gemietet; rented bicycles = Fahrräder gemietet
bought tickets = Fahrkarten gekauft; changed money = Geld gewechselt; paid the bill = die Rechnung bezahlt
ordered a taxi = ein Taxi bestellt; reserved a table = einen Tisch reserviert
visited the castle = das Schloss besichtigt
visited the museum = das Museum besucht; visited the old town = die Altstadt besichtigt; took photos = Fotos gemacht
sent a letter = einen Brief geschickt; sent a parcel = ein Paket geschickt; washed the clothes = die Wäsche gewaschen
cancelled the booking = die Buchung storniert; picked up the tickets = die Karten abgeholt
played tennis = Tennis gespielt
bought souvenirs = Andenken gekauft; took a boat trip = eine Bootsfahrt gemacht
took a guided tour = eine Führung gemacht
met friends = Freunde getroffen; cooked dinner = das Abendessen gekocht; bought a present = ein Geschenk gekauft
saw the cathedral = den Dom gesehen; ate fish = Fisch gegessen; drank coffee = Kaffee getrunken
listened to music = Musik gehört; worked a lot = viel gearbeitet
[went]
went to the beach = an den Strand gegangen; went swimming = schwimmen gegangen; went hiking = wandern gegangen
went shopping = einkaufen gegangen; went to the cinema = ins Kino gegangen; went to the theatre = ins Theater gegangen
went to the doctor = zum Arzt gegangen; took a walk = spazieren gegangen; stayed at home = zu Hause geblieben
stayed in the hotel = im Hotel geblieben; climbed the tower = auf den Turm gestiegen
travelled to Berlin = nach Berlin gereist; travelled to Vienna = nach Wien gereist
travelled to Zurich = nach Zürich gereist
flew to London = nach London geflogen; flew to Rome = nach Rom geflogen
[favour]
order a taxi = ein Taxi bestellen; close the window = das Fenster schließen; open the door = die Tür öffnen
call a doctor = einen Arzt rufen; call the police = die Polizei rufen; speak more slowly = langsamer sprechen
carry the luggage = das Gepäck tragen; clean the room = das Zimmer reinigen; wait here = hier warten
bring the menu = die Speisekarte bringen; bring the bill = die Rechnung bringen; take a photo = ein Foto machen
check the bill = die Rechnung prüfen; switch off the light = das Licht ausschalten
recommend a restaurant = ein Restaurant empfehlen
change the towels = die Handtücher wechseln; print the tickets = die Fahrkarten ausdrucken
repair the shower = die Dusche reparieren
reserve a table = einen Tisch reservieren; send an email = eine E-Mail schicken
spell the name = den Namen buchstabieren
[that]
repeat that = wiederholen; write that down = aufschreiben; translate that = übersetzen; explain that = erklären
check that = überprüfen; show that = zeigen
[forme]
help me = helfen; show me the way = den Weg zeigen; send me the address = die Adresse schicken
give me the key = den Schlüssel geben
show me the room = das Zimmer zeigen; give me a receipt = eine Quittung geben; tell me the price = den Preis nennen
send me the bill = die Rechnung schicken; explain the menu to me = die Speisekarte erklären
[await]
letter = Brief m; message = Nachricht f; answer = Antwort f; visit = Besuch m; offer = Angebot n; help = Hilfe f
arrival = Ankunft f; support = Unterstützung f
[your]
help = Hilfe f; letter = Brief m; message = Nachricht f; answer = Antwort f; invitation = Einladung f; offer = Angebot n
visit = Besuch m; patience = Geduld f; advice = Rat m; kindness = Freundlichkeit f; understanding = Verständnis n
gift = Geschenk n
[our]
stay = Aufenthalt m; trip = Reise f; holiday = Urlaub m; visit = Besuch m; evening = Abend m; day = Tag m
[spent]
stay = Aufenthalt m; holiday = Urlaub m; time = Zeit f; summer = Sommer m; week = Woche f
[nice]
wonderful = wunderbar; pleasant = angenehm; quiet = ruhig; beautiful = schön; interesting = interessant
[event]
concert = Konzert n; film = Film m; performance = Vorstellung f; meeting = Besprechung f; festival = Fest n
game = Spiel n
course = Kurs m; exhibition = Ausstellung f; party = Feier f; lecture = Vortrag m; guided tour = Führung f
[sleep]
well = gut; badly = schlecht; very well = sehr gut; very badly = sehr schlecht
`
