package texml

// Suppression takes noise out of the call's audio.
type Suppression struct {
	base
	Direction        string // inbound, outbound or both
	Engine           string // noiseSuppressionEngine: Denoiser, DeepFilterNet, Krisp, AiCoustics
	Model            string
	SuppressionLevel int     // 0 to 100, for Krisp
	Family           string  // sparrow or quail, for AiCoustics
	Size             string  // s, l or vf, for AiCoustics
	EnhancementLevel float64 // 0 to 1, for AiCoustics
}

func suppression(e *element) Node {
	e.only(Telnyx)
	return &Suppression{
		base:             e.base(),
		Direction:        e.attr("direction", 0).oneOf("inbound", "inbound", "outbound", "both"),
		Engine:           e.attr("noiseSuppressionEngine", 0).oneOf("Denoiser", "Denoiser", "DeepFilterNet", "Krisp", "AiCoustics"),
		Model:            e.attr("model", 0).text(),
		SuppressionLevel: e.attr("suppressionLevel", 0).whole(100, 0, 100),
		Family:           e.attr("family", 0).oneOf("", "sparrow", "quail"),
		Size:             e.attr("size", 0).oneOf("", "s", "l", "vf"),
		EnhancementLevel: e.attr("enhancementLevel", 0).number(0.8, 0, 1),
	}
}
