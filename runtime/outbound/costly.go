package outbound

import (
	"strconv"
	"strings"
)

// worldwide are country codes that belong to no country (ITU-T E.164, list of
// assigned codes; E.164.1 for networks and services): satellites and shared
// networks are the usual loot of toll fraud.
var worldwide = map[string]string{
	"808":  "a shared-cost",                  // international shared cost service
	"870":  "a satellite",                    // Inmarsat
	"878":  "a personal",                     // universal personal telecommunication
	"881":  "a satellite",                    // Iridium, Globalstar
	"882":  "a satellite",                    // networks that span countries, most of them at sea or in the sky
	"883":  "a satellite",                    // the same
	"979":  "a premium",                      // international premium rate service
	"7840": "a premium", "7940": "a premium", // Abkhazia, priced like one
}

// premium are the beginnings of national numbers for which the caller pays
// more than for a call, by country code: premium rate, shared cost and personal
// numbers, from the national numbering plans as they are lodged with the ITU
// (Operational Bulletin) and kept by the body that is named. "15/9" counts for numbers of nine digits only. Free numbers
// (800 and the like) are not among them.
var premium = map[string]string{
	"1":   "900 700 500",                                                      // NANPA: 900 premium, 700 of carriers, 500 personal; 976 is below
	"7":   "803 809",                                                          // Mintsifry
	"20":  "900",                                                              // NTRA
	"212": "89",                                                               // ANRT
	"213": "801 802 803 804 805 806 808 809",                                  // ARPCE
	"216": "88 8110 8210",                                                     // INT
	"221": "88 81",                                                            // ARTP
	"227": "09",                                                               // ARCEP
	"230": "30/7",                                                             // ICTA
	"231": "332",                                                              // LTA
	"236": "8776",                                                             // ARCEP
	"240": "90",                                                               // ORTEL
	"242": "80",                                                               // ARPCE
	"248": "85",                                                               // DICT
	"250": "900",                                                              // RURA
	"254": "900",                                                              // CA
	"255": "90 84 860 861",                                                    // TCRA
	"256": "90",                                                               // UCC
	"262": "81 82 84 88 89",                                                   // ARCEP
	"264": "8701",                                                             // CRAN
	"267": "90",                                                               // BOCRA
	"268": "900",                                                              // ESCCOM
	"269": "8",                                                                // ANRTIC
	"27":  "86 90 91 92",                                                      // ICASA
	"297": "900",                                                              // DTZ
	"298": "90",                                                               // Fjarskiftiseftirlitið
	"30":  "90 801 806 812 825 827 850 875",                                   // EETT
	"31":  "90",                                                               // ACM
	"32":  "70 7879 90",                                                       // BIPT
	"33":  "81 82 83 84 85 86 88 89",                                          // ARCEP: 80 is free, all other 08 is not
	"34":  "803 806 807 901 902 905",                                          // CNMC
	"351": "601 607 608 646 648 707 708 760 761 762 808 809",                  // ANACOM
	"352": "900 901 905 801",                                                  // ILR
	"353": "15/10 1850 1890",                                                  // ComReg; Dublin has 1 5 too, with a digit less or more
	"354": "90",                                                               // Fjarskiptastofa
	"355": "900 808",                                                          // AKEP
	"356": "50 51 52",                                                         // MCA
	"357": "90 801 802 803 804 805 806 807 808 809",                           // OCECPR
	"358": "600 700",                                                          // Traficom
	"359": "90 700",                                                           // CRC
	"36":  "90 91",                                                            // NMHH
	"370": "900 902 903 909 910 808",                                          // RRT
	"371": "90 81",                                                            // SPRK
	"372": "900 40",                                                           // TTJA
	"373": "90 808",                                                           // ANRCETI
	"374": "900 901 906 801 802 803 804",                                      // PSRC
	"375": "810 902",                                                          // Ministry of Communications
	"376": "10 11 12 13 14 15 16 17 19 9",                                     // Andorra Telecom
	"378": "71 77 78",                                                         // AASS
	"380": "900",                                                              // NCEC
	"381": "78 900 901 906 909",                                               // RATEL
	"382": "94 95",                                                            // EKIP
	"383": "900",                                                              // ARKEP
	"385": "60 61 64 65 69",                                                   // HAKOM
	"386": "89 90",                                                            // AKOS
	"387": "90 92 94 96 81 82",                                                // RAK
	"389": "5 801 802 803 804 805 806 807 808 809 81 82 83 84 85 86 87 88 89", // AEK
	"39":  "144 163 164 166 178 199 84 89 0878",                               // AGCOM
	"40":  "90 801",                                                           // ANCOM
	"41":  "90 84",                                                            // OFCOM
	"420": "81 83 84 90 976",                                                  // ČTÚ
	"421": "85 86 87 88 89 900 97 98",                                         // RÚ
	"423": "90",                                                               // AK
	"43":  "810 820 821 828 86 89 900 901 930 931 939",                        // RTR
	"44":  "70 842 843 844 845 870 871 872 873 9",                             // Ofcom
	"45":  "90",                                                               // SDFI
	"46":  "649 77 900 939 944 99",                                            // PTS
	"47":  "810 815 82",                                                       // Nkom
	"48":  "70 801",                                                           // UKE
	"49":  "118 137 138 180 190 900",                                          // BNetzA
	"502": "19",                                                               // SIT
	"503": "900",                                                              // SIGET
	"506": "90",                                                               // SUTEL
	"507": "822/7 855/7 860/7 877/7 878/7 886/7 900/7 981/7",                  // ASEP
	"508": "81/9 82/9 89/9",                                                   // ARCEP
	"51":  "801 805",                                                          // MTC
	"52":  "300 900",                                                          // IFT
	"53":  "807",                                                              // MINCOM
	"54":  "600 604 605 607 609",                                              // ENACOM
	"55":  "300 303/8 400/8 4370/8 4864/8 500 900",                            // Anatel
	"56":  "600/10 600/11",                                                    // SUBTEL
	"57":  "19 901",                                                           // CRC
	"58":  "900 901",                                                          // CONATEL
	"590": "81 82 89",                                                         // ARCEP
	"592": "9008",                                                             // Telecommunications Agency
	"594": "81 82 89",                                                         // ARCEP
	"596": "81 82 89",                                                         // ARCEP
	"597": "90",                                                               // TAS
	"598": "90",                                                               // URSEC
	"599": "60",                                                               // RATC
	"60":  "1600 1900",                                                        // MCMC
	"61":  "13 190",                                                           // ACMA
	"62":  "804 809",                                                          // Komdigi
	"64":  "1 5000 5008 5030 5066 5077 5088 90",                               // NAD
	"65":  "1900",                                                             // IMDA
	"66":  "1900",                                                             // NBTC
	"670": "90",                                                               // ANC
	"687": "36",                                                               // OPT
	"81":  "570 990",                                                          // MIC
	"82":  "60",                                                               // MSIT
	"84":  "1900",                                                             // VNTA
	"852": "900",                                                              // OFCA
	"855": "1900",                                                             // TRC
	"86":  "160/8 168/8 400 950",                                              // MIIT
	"886": "20",                                                               // NCC
	"90":  "888 898 900",                                                      // BTK
	"91":  "186/11 186/13",                                                    // DoT
	"92":  "900",                                                              // PTA
	"960": "900",                                                              // CAM
	"961": "80 90 91",                                                         // TRA
	"962": "85 9",                                                             // TRC
	"966": "920 925",                                                          // CST
	"968": "900",                                                              // TRA
	"970": "1700",                                                             // MTDE
	"971": "600 700 900",                                                      // TDRA
	"972": "1212 1200 1700 1900 1901 1902 1919 199",                           // MOC
	"973": "84 87 9",                                                          // TRA
	"994": "900",                                                              // MDDT
}

// costly reports which kind of number n is, "" for an ordinary one, and the
// digits that say so.
func costly(n number) (kind, beginning string) {
	d := n.digits
	if !n.international {
		return "", ""
	}
	if len(d) == 11 && d[0] == '1' && d[1] != '8' && d[4:7] == "976" { // pay-per-call in any area (NANPA)
		return "a premium", d[:7]
	}
	for i := min(4, len(d)); i > 0; i-- {
		if kind, ok := worldwide[d[:i]]; ok {
			return kind, d[:i]
		}
	}
	for i := 1; i <= 3 && i < len(d); i++ {
		for begin := range strings.FieldsSeq(premium[d[:i]]) {
			begin, length, _ := strings.Cut(begin, "/")
			if strings.HasPrefix(d[i:], begin) && (length == "" || length == strconv.Itoa(len(d)-i)) {
				return "a premium or shared-cost", d[:i+len(begin)]
			}
		}
	}
	return "", ""
}
