package ai

// speakers are the voices that a provider has for one language, men marked by
// an asterisk. The first of each sex is the one that stands in for others.
type speakers struct {
	language string // lower case
	ids      string
}

// pollyVoices are those of Amazon Polly (Amazon's list of available voices).
var pollyVoices = []speakers{
	{"en-us", "Joanna Ivy Kendra Kimberly Salli Ruth Danielle Tiffany Matthew* Joey* Justin* Kevin* Stephen* Gregory* Patrick*"},
	{"en-gb", "Amy Emma Brian* Arthur*"}, {"en-au", "Nicole Olivia Russell*"}, {"en-in", "Aditi Raveena Kajal"},
	{"en-ie", "Niamh"}, {"en-nz", "Aria"}, {"en-za", "Ayanda"}, {"en-sg", "Jasmine"}, {"en-gb-wls", "Geraint*"}, {"cy-gb", "Gwyneth"},
	{"es-es", "Lucia Conchita Alba Enrique* Sergio* Raul*"}, {"es-mx", "Mia Andres*"}, {"es-us", "Lupe Penelope Miguel* Pedro*"},
	{"fr-fr", "Celine Lea Ambre Mathieu* Remi* Florian*"}, {"fr-ca", "Chantal Gabrielle Liam*"}, {"fr-be", "Isabelle"},
	{"de-de", "Vicki Marlene Hans* Daniel* Lennart*"}, {"de-at", "Hannah"}, {"de-ch", "Sabrina"},
	{"it-it", "Bianca Carla Beatrice Giorgio* Adriano* Lorenzo*"},
	{"pt-br", "Camila Vitoria Ricardo* Thiago*"}, {"pt-pt", "Ines Cristiano*"}, {"nl-nl", "Lotte Laura Ruben*"}, {"nl-be", "Lisa"},
	{"da-dk", "Naja Sofie Mads*"}, {"sv-se", "Astrid Elin"}, {"nb-no", "Liv Ida"}, {"fi-fi", "Suvi"}, {"is-is", "Dora Karl*"},
	{"pl-pl", "Ewa Maja Ola Jacek* Jan*"}, {"ru-ru", "Tatyana Maxim*"}, {"ro-ro", "Carmen"}, {"tr-tr", "Filiz Burcu"},
	{"cs-cz", "Jitka"}, {"ca-es", "Arlet"}, {"ja-jp", "Mizuki Kazuha Tomoko Takumi*"}, {"ko-kr", "Seoyeon Jihye"},
	{"cmn-cn", "Zhiyu"}, {"yue-cn", "Hiujin"}, {"arb", "Zeina"}, {"ar-ae", "Hala Zayd*"},
}

// auraVoices are those of Deepgram's Aura 2; the id is aura-2-NAME-LANGUAGE.
var auraVoices = []speakers{
	{"en-us", "thalia andromeda helena asteria athena aurora callista cora cordelia delia electra harmonia hera iris janus juno luna minerva ophelia phoebe selene vesta " +
		"apollo* arcas* aries* atlas* hermes* jupiter* mars* neptune* odysseus* orion* orpheus* pluto* saturn* zeus*"},
	{"en-gb", "pandora draco*"}, {"en-au", "theia hyperion*"}, {"en-ph", "amalthea"},
	{"es-mx", "estrella javier* sirio*"}, {"es-es", "diana carina silvia agustina nestor* alvaro*"}, {"es-419", "celeste selena aquila*"},
	{"de-de", "viktoria elara aurelia lara kara julius* fabian*"}, {"fr-fr", "agathe hector*"},
	{"nl-nl", "beatrix rhea daphne cornelia hestia leda sander* lars* roman*"},
	{"it-it", "livia melia maia cinzia demetra dionisio* elio* flavio* cesare* perseo*"}, {"ja-jp", "izanami uzume ama fujin* ebisu*"},
}

// kokoroLanguages are the languages of Kokoro's voices by their first letter.
var kokoroLanguages = map[byte]string{
	'a': "en-us", 'b': "en-gb", 'e': "es-es", 'f': "fr-fr", 'h': "hi-in", 'i': "it-it", 'j': "ja-jp", 'p': "pt-br", 'z': "cmn-cn",
}

// The men among the better known voices of providers that have names only.
const (
	azureMen = "Guy Davis Tony Jason Brandon Christopher Eric Jacob Roger Steffan Andrew Brian Ryan Thomas Alfie Elliot Ethan Noah Oliver William Liam Darren Ken Neil Tim Duncan " +
		"Conrad Killian Florian Bernd Christoph Kasper Klaus Ralf Jonas Jan Henri Alain Claude Jerome Lucien Maurice Yves Jean Antoine Thierry Remy Fabrice " +
		"Alvaro Arnau Dario Elias Nil Saul Teo Jorge Gerardo Cecilio Liberto Luciano Pelayo Yago Alonso Tomas Gonzalo Diego Benigno Calimero Cataldo Gianni Lisandro Rinaldo Giuseppe Alessio Marcello " +
		"Antonio Donato Fabio Humberto Julio Nicolau Valerio Duarte Keita Daichi Naoki Masaru InJoon BongJin GookMin Hyunsu Yunxi Yunyang Yunjian Yunze Yunye WanLung YunJhe " +
		"Hamed Hamdan Shakir Prabhat Madhur Maarten Arnaud Mattias Finn Jeppe Harri Marek Dmitry Ostap Ahmet Antonin Lukas Tamas Emil Nestoras Avri NamMinh Niwat Ardi Osman"
	chirpMen      = "Achird Algenib Algieba Alnilam Charon Enceladus Fenrir Iapetus Orus Puck Rasalgethi Sadachbia Sadaltager Schedar Umbriel Zubenelgenubi"
	elevenLabsMen = "JBFqnCBsd6RMkjVDRZzb nPczCjzI2devNBz1zQrb TX3LPaxmHKxFdv7VOQHJ pNInz6obpgDQGcFmaJgB IKne3meq5aSn9XLyUdCD N2lVS1w4EtoT3dr4eOWO SOYHLrjzK2X1ezoPC6cr " +
		"bIHbv24MWmeRgasZH58o cjVigY5qzO86Huf0OWal iP95p4xoKVk53GoZ742B onwK4e9ZLuTAKqWW03F9 pqHfZKP75CvOlQylNhV4 CwhRBWXzGAHq8TQ4Fs17"
	openAIMen = "ash ballad echo fable onyx verse cedar am_adam am_michael bm_george"
	telnyxMen = "apollo arcas orion orpheus zeus atlas phoenix titan"
)

// openAIVoices are all of OpenAI's; a server of one's own may have others.
const openAIVoices = "alloy ash ballad coral echo fable nova onyx sage shimmer verse marin cedar"
