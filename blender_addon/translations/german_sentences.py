"""German: sentences of the library, and why buttons are grayed out."""

GERMAN_SENTENCES = {
    "There is no prompt.": "Es gibt keinen Prompt.",
    "Say in words what to paint.": "Mit Worten sagen, was gemalt werden soll.",
    "“{}” is painted.": "„{}“ ist bemalt.",
    "The subject “{}” is learned.": "Das Motiv „{}“ ist gelernt.",
    "Say what the photo shows first": "Zuerst sagen, was das Foto zeigt",
    "Without a GPU, this would take about {}.": "Ohne GPU würde das etwa {} dauern.",
    "Waiting in place {} of the queue": "Wartet an Stelle {} der Schlange",
    "The local service runs: process {}.": "Der lokale Dienst läuft: Prozess {}.",
    "The local service does not run.": "Der lokale Dienst läuft nicht.",
    "This was computed by an own worker instead.": "Stattdessen hat ein eigener Rechenprozess gerechnet.",
    "Start it with `meshkin serve`, or choose “Own Worker”.": "Mit `meshkin serve` starten, oder „Eigener "
    "Rechenprozess“ wählen.",
    # Why a button is grayed out
    "Pick a collection of objects first": "Zuerst eine Sammlung von Objekten wählen",
    "“{}” is empty": "„{}“ ist leer",
    "Choose a folder for the data set first": "Zuerst einen Ordner für den Datensatz wählen",
    "There is no data set in the folder yet": "Im Ordner ist noch kein Datensatz",
    "Save the file first, or choose a folder that does not begin with //": (
        "Zuerst die Datei speichern, oder einen Ordner wählen, der nicht mit // beginnt"
    ),
    "There are no objects to take pictures of.": "Es gibt keine Objekte, von denen Bilder gemacht werden könnten.",
    "{} has pictures of another data set.": "In {} sind Bilder eines anderen Datensatzes.",
    "Choose another folder.": "Einen anderen Ordner wählen.",
    "Select two characters, the target last": "Zwei Figuren auswählen, das Ziel zuletzt",
    "Pick a {} object first": "Zuerst wählen: {}",
    "Pick a source or a target first": "Zuerst eine Quelle oder ein Ziel wählen",
    "Source and target are the same object": "Quelle und Ziel sind dasselbe Objekt",
    "Match source and target first": "Zuerst Quelle und Ziel zuordnen",
    "Go back to Object Mode first": "Zuerst in den Objektmodus zurückkehren",
    "Transfer something to the target first": "Zuerst etwas auf das Ziel übertragen",
    "Transfer something from “{}” to “{}” first": "Zuerst etwas von „{}“ auf „{}“ übertragen",
    "No armature poses “{}”": "Kein Skelett bewegt „{}“",
    "No job is running": "Es läuft kein Auftrag",
    "There is no report": "Es gibt keinen Bericht",
    "Fit an action first": "Zuerst eine Aktion anpassen",
    "“{}” follows {}.": "„{}“ folgt {}.",
    "The scene has no camera.": "Die Szene hat keine Kamera.",
    "Add one, or let the video have a new camera.": "Eine hinzufügen, oder dem Video eine neue Kamera geben.",
    "“{}” is no perspective camera without a shift.": ("„{}“ ist keine perspektivische Kamera ohne Verschiebung."),
    "“{}” has no keys in the frames to follow.": "„{}“ hat in den verfolgten Bildern keine Keyframes.",
    "Key the poses to keep, or choose other frames.": (
        "Die Posen mit Keyframes festhalten, oder andere Bilder wählen."
    ),
    "Look at frames {}: the character does not lie on what they show.": (
        "Bilder {} ansehen: die Figur liegt nicht auf dem, was sie zeigen."
    ),
    "The video seems to be cut before frames {}: the motion does not go on there.": (
        "Das Video ist wohl vor den Bildern {} geschnitten: die Bewegung geht dort nicht weiter."
    ),
    "No frame of the video shows the object.": "Kein Bild des Videos zeigt das Objekt.",
    "The frames differ in size: {}.": "Die Bilder sind verschieden groß: {}.",
    "Use frames of one size.": "Bilder einer einzigen Größe verwenden.",
    "Choose a video first": "Zuerst ein Video wählen",
    "Choose a photo first": "Zuerst ein Foto wählen",
    "Select one or more meshes": "Ein Mesh oder mehrere auswählen",
    "No weights were transferred to the target yet": "Auf das Ziel wurden noch keine Gewichtungen übertragen",
    "“{}” has no material": "„{}“ hat kein Material",
    "“{}” has no vertex groups": "„{}“ hat keine Punktgruppen",
    "“{}” is being edited; go back to Object Mode first": (
        "„{}“ wird bearbeitet; zuerst in den Objektmodus zurückkehren"
    ),
    "“{}” is linked from another file; make it local first": (
        "„{}“ ist aus einer anderen Datei verknüpft; zuerst lokal machen"
    ),
    "“{}” is no longer in this scene": "„{}“ ist nicht mehr in dieser Szene",
    "“{}” is not a mesh": "„{}“ ist kein Mesh",
    "“{}” is hidden": "„{}“ ist verborgen",
    "“{}” is running; cancel it first": "„{}“ läuft noch; zuerst abbrechen",
    "The worker is not set up": "Der Rechenprozess ist nicht eingerichtet",
    # What was done
    "“{}” gave “{}” its {}.": "„{}“ hat auf „{}“ übertragen: {}.",
    "{} are matched: confidence {} on average.": "{} sind zugeordnet: Sicherheit {} im Mittel.",
    "“{}” is up to date with “{}”.": "„{}“ ist auf dem Stand von „{}“.",
    "“{}” moves as “{}” does.": "„{}“ bewegt sich wie „{}“.",
    "“{}” stands as “{}” does.": "„{}“ steht wie „{}“.",
    "“{}” was built of {} vertex groups.": "„{}“ wurde aus {} Punktgruppen gebaut.",
    "“{}” has the texture, the rig and the motion of “{}”.": "„{}“ hat Textur, Rig und Bewegung von „{}“.",
    "Press Space over the 3D view to see both wave.": "Mit der Leertaste über der 3D-Ansicht winken beide.",
    "Features of {} are ready.": "Die Merkmale von {} sind bereit.",
    "{}: cut into {} parts.": "{}: in {} Teile zerlegt.",
    "{title}, with 1 warning.": "{title}, mit 1 Warnung.",
    "{title}, with {count} warnings.": "{title}, mit {count} Warnungen.",
    "{title}: cancelled.": "{title}: abgebrochen.",
    "{title} failed unexpectedly: {error}": "{title} ist unerwartet fehlgeschlagen: {error}",
    "Details are in the system console.": "Einzelheiten stehen in der Systemkonsole.",
    "“{}” shows {}.": "„{}“ zeigt {}.",
    "What “{}” was before the last transfer is no longer in the file.": (
        "Was „{}“ vor der letzten Übertragung war, ist nicht mehr in der Datei."
    ),
    "Point pair {} added.": "Punktpaar {} hinzugefügt.",
    # Warnings
    "The match is poor: its confidence is {} on average. Look at it (Same Color, Confidence); point pairs help.": (
        "Die Zuordnung ist schlecht: Sicherheit {} im Mittel. Bitte ansehen (Gleiche Farbe, Sicherheit); Punktpaare"
        " helfen."
    ),
    "The two bodies are built unlike each other: on which limb a joint lies is known, but where exactly is a guess."
    " Pose the target, and look at its joints. If you correct them, transfer the weights again: they follow the "
    "armature.": (
        "Die zwei Körper sind ungleich gebaut: an welchem Glied ein Gelenk liegt, ist bekannt, wo genau, ist geraten."
        " Bitte das Ziel in Pose bringen und die Gelenke ansehen. Wer sie berichtigt, überträgt die Gewichtungen noch "
        "einmal: sie folgen dem Skelett."
    ),
    "Most weights are a guess: {} of the vertices were inpainted.": (
        "Die meisten Gewichtungen sind geraten: {} der Punkte wurden ergänzt."
    ),
    "Not carried: {}. {}": "Nicht übertragen: {}. {}",
    "Left out: “{}”. {}": "Weggelassen: „{}“. {}",
    # Errors, and what to do
    "Nothing was transferred to “{}” from this source yet.": (
        "Von dieser Quelle wurde noch nichts auf „{}“ übertragen."
    ),
    "Press Transfer first.": "Zuerst „Übertragen“ drücken.",
    "“{}” shows what it was before the last transfer.": "„{}“ zeigt, was es vor der letzten Übertragung war.",
    "Show the result first.": "Zuerst das Ergebnis zeigen.",
    "“{}” has other faces now.": "„{}“ hat jetzt andere Flächen.",
    "“{}” has other vertices now.": "„{}“ hat jetzt andere Punkte.",
    "Transfer to it again.": "Bitte noch einmal darauf übertragen.",
    "Run the job again.": "Bitte den Auftrag noch einmal starten.",
    "“{}” was changed while the job ran.": "„{}“ wurde während des Auftrags geändert.",
    "Nothing was written. Run the job again.": "Nichts wurde geschrieben. Bitte noch einmal starten.",
    "“{}” is not in the file any more.": "„{}“ ist nicht mehr in der Datei.",
    "Choose an object and start again.": "Bitte ein Objekt wählen und neu starten.",
    "No mesh belongs to “{}”.": "Zu „{}“ gehört kein Mesh.",
    "“{}” has no UV map.": "„{}“ hat keine UV-Map.",
    "Unwrap it first (UV > Smart UV Project).": "Bitte zuerst abwickeln (UV > Smart UV Project).",
    "The UV map of “{}” has no area: all its faces lie on a point or a line.": (
        "Die UV-Map von „{}“ hat keine Fläche: alles liegt auf einem Punkt oder einer Linie."
    ),
    "The faces of “{}” cover its UV map {} times over.": "Die Flächen von „{}“ bedecken die UV-Map {}-mal.",
    "Unwrap it (UV > Smart UV Project), or remove that UV map: MeshKin then makes one.": (
        "Bitte abwickeln (UV > Smart UV Project) oder diese UV-Map entfernen: dann macht MeshKin eine."
    ),
    "An Image Texture node of the source has no image.": "Einem Bildtextur-Node der Quelle fehlt das Bild.",
    "Choose one, or remove the node.": "Bitte eines wählen oder den Node entfernen.",
    "Use File > External Data > Find Missing Files.": "Bitte Datei > Externe Daten > Fehlende Dateien suchen.",
    "“{}” has no vertex groups.": "„{}“ hat keine Punktgruppen.",
    "Choose a source with weights.": "Bitte eine Quelle mit Gewichtungen wählen.",
    "The chosen groups of “{}” hold no weights.": "Die gewählten Gruppen von „{}“ haben keine Gewichtungen.",
    "Choose other groups, or paint them.": "Bitte andere Gruppen wählen oder Gewichtungen malen.",
    "No armature poses “{}”.": "Kein Skelett bewegt „{}“.",
    "Give it an Armature modifier, or choose another source.": (
        "Bitte einen Skelett-Modifikator geben oder eine andere Quelle wählen."
    ),
    "“{}” plays no action.": "„{}“ spielt keine Aktion ab.",
    "“{}” has no attributes that can be carried.": "„{}“ hat keine Eigenschaften, die übertragen werden können.",
    "Paint or add one first.": "Bitte zuerst eines malen oder hinzufügen.",
    "“{}” has no materials.": "„{}“ hat keine Materialien.",
    "Give its faces materials first.": "Bitte zuerst den Flächen Materialien geben.",
    "“{}” has no shape keys{}.": "„{}“ hat keine Formschlüssel{}.",
    "Choose a source that has some.": "Bitte eine Quelle wählen, die welche hat.",
    "No hair curves grow on “{}”.": "Auf „{}“ wachsen keine Haarkurven.",
    "Source and target are the same object.": "Quelle und Ziel sind dasselbe Objekt.",
    "Choose two different objects.": "Bitte zwei verschiedene Objekte wählen.",
    "“{}” was changed since it was matched.": "„{}“ wurde seit der Zuordnung geändert.",
    "Match the two again.": "Bitte die beiden neu zuordnen.",
    "Press Match first.": "Zuerst „Zuordnen“ drücken.",
    "The mesh of “{}” is being edited.": "Das Mesh von „{}“ wird bearbeitet.",
    "Go back to Object Mode first.": "Bitte zuerst in den Objektmodus zurückkehren.",
    "The worker is not set up.": "Der Rechenprozess ist nicht eingerichtet.",
    "Press “Set Up MeshKin” in the panel, or run `meshkin worker setup`.": (
        "Bitte „MeshKin einrichten“ drücken oder `meshkin worker setup` ausführen."
    ),
    "Press “Set Up MeshKin” in the preferences, or run `meshkin worker setup`. If a Python was chosen there, or as"
    " MESHKIN_WORKER_PYTHON, choose another one, or none.": (
        "Bitte in den Einstellungen „MeshKin einrichten“ drücken oder `meshkin worker setup` ausführen. Ist dort oder"
        " als MESHKIN_WORKER_PYTHON ein Python gewählt, bitte ein anderes wählen oder keines."
    ),
    "Set it to that, or unset it (in Blender: the field in MeshKin’s preferences).": (
        "Bitte richtig setzen oder nicht setzen (in Blender: das Feld in den Einstellungen von MeshKin)."
    ),
    "The memory is not enough for this job.": "Der Speicher reicht für diesen Auftrag nicht.",
    "Close other programs, choose another device, or use fewer or smaller views.": (
        "Bitte andere Programme schließen, ein anderes Gerät wählen oder weniger oder kleinere Ansichten nehmen."
    ),
    "Free some space or choose another folder.": "Bitte Platz schaffen oder einen anderen Ordner wählen.",
    "Choose a folder that you may write to.": "Bitte einen Ordner wählen, in den geschrieben werden darf.",
    "The job was cancelled.": "Der Auftrag wurde abgebrochen.",
}
