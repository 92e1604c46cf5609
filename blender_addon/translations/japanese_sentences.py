"""Japanese: sentences of the library, and why buttons are grayed out."""

JAPANESE_SENTENCES = {
    "There is no prompt.": "プロンプトがありません。",
    "Say in words what to paint.": "何をペイントするかを言葉で指定してください。",
    "“{}” is painted.": "「{}」をペイントしました。",
    "The subject “{}” is learned.": "被写体「{}」を学習しました。",
    "Say what the photo shows first": "先に写真に写っているものを入力してください",
    "Without a GPU, this would take about {}.": "GPU なしでは約 {} かかります。",
    "Waiting in place {} of the queue": "待ち行列の{}番目で待機中",
    "The local service runs: process {}.": "ローカルサービスが動作しています（プロセス{}）。",
    "The local service does not run.": "ローカルサービスが動作していません。",
    "This was computed by an own worker instead.": "代わりに専用ワーカーが計算しました。",
    "Start it with `meshkin serve`, or choose “Own Worker”.": "`meshkin serve` で起動するか、"
    "「専用ワーカー」を選んでください。",
    # Why a button is grayed out
    "Pick a collection of objects first": "先にオブジェクトのコレクションを選んでください",
    "“{}” is empty": "「{}」は空です",
    "Choose a folder for the data set first": "先にデータセットのフォルダーを選んでください",
    "There is no data set in the folder yet": "フォルダーにまだデータセットがありません",
    "Save the file first, or choose a folder that does not begin with //": (
        "先にファイルを保存するか、//で始まらないフォルダーを選んでください"
    ),
    "There are no objects to take pictures of.": "画像を撮るオブジェクトがありません。",
    "{} has pictures of another data set.": "{}には別のデータセットの画像があります。",
    "Choose another folder.": "別のフォルダーを選んでください。",
    "Select two characters, the target last": "2体のキャラクターを選択してください（ターゲットを最後に）",
    "Pick a {} object first": "先に{}を選んでください",
    "Pick a source or a target first": "先にソースかターゲットを選んでください",
    "Source and target are the same object": "ソースとターゲットが同じオブジェクトです",
    "Match source and target first": "先にソースとターゲットをマッチしてください",
    "Go back to Object Mode first": "先にオブジェクトモードに戻ってください",
    "Transfer something to the target first": "先にターゲットへ何か転送してください",
    "Transfer something from “{}” to “{}” first": "先に「{}」から「{}」へ何か転送してください",
    "No armature poses “{}”": "「{}」を動かすアーマチュアがありません",
    "No job is running": "実行中のジョブはありません",
    "There is no report": "レポートはありません",
    "Fit an action first": "先にアクションを合わせてください",
    "“{}” follows {}.": "「{}」は{}に従います。",
    "The scene has no camera.": "シーンにカメラがありません。",
    "Add one, or let the video have a new camera.": "追加するか、動画用に新しいカメラを使ってください。",
    "“{}” is no perspective camera without a shift.": "「{}」はシフトなしの透視投影カメラではありません。",
    "“{}” has no keys in the frames to follow.": "「{}」は対象のフレームにキーがありません。",
    "Key the poses to keep, or choose other frames.": "維持するポーズにキーを打つか、別のフレームを選んでください。",
    "Look at frames {}: the character does not lie on what they show.": (
        "フレーム{}を確認してください。キャラクターが映像に重なっていません。"
    ),
    "The video seems to be cut before frames {}: the motion does not go on there.": (
        "動画はフレーム{}の前でカットされているようです。動きはそこで途切れます。"
    ),
    "No frame of the video shows the object.": "動画のどのフレームにもオブジェクトが写っていません。",
    "The frames differ in size: {}.": "フレームのサイズが異なります：{}。",
    "Use frames of one size.": "同じサイズのフレームを使ってください。",
    "Choose a video first": "先に動画を選んでください",
    "Choose a photo first": "先に写真を選んでください",
    "Select one or more meshes": "メッシュを1つ以上選択してください",
    "No weights were transferred to the target yet": "ターゲットにはまだウェイトが転送されていません",
    "“{}” has no material": "「{}」にはマテリアルがありません",
    "“{}” has no vertex groups": "「{}」には頂点グループがありません",
    "“{}” is being edited; go back to Object Mode first": (
        "「{}」は編集中です。先にオブジェクトモードに戻ってください"
    ),
    "“{}” is linked from another file; make it local first": (
        "「{}」は別のファイルからリンクされています。先にローカル化してください"
    ),
    "“{}” is no longer in this scene": "「{}」はもうこのシーンにありません",
    "“{}” is not a mesh": "「{}」はメッシュではありません",
    "“{}” is hidden": "「{}」は非表示です",
    "“{}” is running; cancel it first": "「{}」が実行中です。先にキャンセルしてください",
    "The worker is not set up": "ワーカーがセットアップされていません",
    # What was done
    "“{}” gave “{}” its {}.": "「{}」から「{}」へ転送しました: {}。",
    "{} are matched: confidence {} on average.": "{}をマッチしました: 平均信頼度 {}。",
    "“{}” is up to date with “{}”.": "「{}」を「{}」に合わせて更新しました。",
    "“{}” moves as “{}” does.": "「{}」は「{}」と同じように動きます。",
    "“{}” stands as “{}” does.": "「{}」は「{}」と同じポーズです。",
    "“{}” was built of {} vertex groups.": "「{}」を{}個の頂点グループから作成しました。",
    "“{}” has the texture, the rig and the motion of “{}”.": (
        "「{}」に「{}」のテクスチャ、リグ、モーションを転送しました。"
    ),
    "Press Space over the 3D view to see both wave.": "3Dビュー上でスペースキーを押すと、2体が手を振ります。",
    "Features of {} are ready.": "{}の特徴を計算しました。",
    "{}: cut into {} parts.": "{}: {}個のパーツに分割しました。",
    "{title}, with 1 warning.": "{title}（警告1件）",
    "{title}, with {count} warnings.": "{title}（警告{count}件）",
    "{title}: cancelled.": "{title}: キャンセルしました。",
    "{title} failed unexpectedly: {error}": "{title}で予期しないエラー: {error}",
    "Details are in the system console.": "詳細はシステムコンソールを見てください。",
    "“{}” shows {}.": "「{}」: {}",
    "What “{}” was before the last transfer is no longer in the file.": (
        "「{}」の転送前の状態をファイルから削除しました。"
    ),
    "Point pair {} added.": "対応点 {} を追加しました。",
    # Warnings
    "The match is poor: its confidence is {} on average. Look at it (Same Color, Confidence); point pairs help.": (
        "マッチの品質が低いです（平均信頼度 {}）。「同じ色」「信頼度」で確認し、対応点を追加してください。"
    ),
    "The two bodies are built unlike each other: on which limb a joint lies is known, but where exactly is a guess."
    " Pose the target, and look at its joints. If you correct them, transfer the weights again: they follow the "
    "armature.": (
        "2つの体の作りが異なります: 関節がどの肢にあるかは分かりますが、正確な位置は推測です。"
        "ターゲットにポーズを付けて関節を確認してください。"
        "関節を直したら、ウェイトをもう一度転送してください: アーマチュアに従います。"
    ),
    "Most weights are a guess: {} of the vertices were inpainted.": (
        "ウェイトの大半は推測です: 頂点の{}を補間しました。"
    ),
    "Not carried: {}. {}": "転送できませんでした: {}。{}",
    "Left out: “{}”. {}": "除外: 「{}」。{}",
    # Errors, and what to do
    "Nothing was transferred to “{}” from this source yet.": ("このソースから「{}」へはまだ何も転送されていません。"),
    "Press Transfer first.": "先に「転送」を押してください。",
    "“{}” shows what it was before the last transfer.": "「{}」は転送前の状態を表示しています。",
    "Show the result first.": "先に結果を表示してください。",
    "“{}” has other faces now.": "「{}」の面が変わっています。",
    "“{}” has other vertices now.": "「{}」の頂点が変わっています。",
    "Transfer to it again.": "もう一度転送してください。",
    "Run the job again.": "もう一度実行してください。",
    "“{}” was changed while the job ran.": "実行中に「{}」が変更されました。",
    "Nothing was written. Run the job again.": "何も書き込まれていません。もう一度実行してください。",
    "“{}” is not in the file any more.": "「{}」はもうファイルにありません。",
    "Choose an object and start again.": "オブジェクトを選んでやり直してください。",
    "No mesh belongs to “{}”.": "「{}」に属するメッシュがありません。",
    "“{}” has no UV map.": "「{}」にはUVマップがありません。",
    "Unwrap it first (UV > Smart UV Project).": "先に展開してください（UV > スマートUV投影）。",
    "The UV map of “{}” has no area: all its faces lie on a point or a line.": (
        "「{}」のUVマップには面積がありません。すべての面が点か線の上にあります。"
    ),
    "The faces of “{}” cover its UV map {} times over.": "「{}」の面がUVマップを{}重に覆っています。",
    "Unwrap it (UV > Smart UV Project), or remove that UV map: MeshKin then makes one.": (
        "展開する（UV > スマートUV投影）か、そのUVマップを削除してください。MeshKinが作成します。"
    ),
    "An Image Texture node of the source has no image.": "ソースの画像テクスチャノードに画像がありません。",
    "Choose one, or remove the node.": "画像を選ぶか、ノードを削除してください。",
    "Use File > External Data > Find Missing Files.": (
        "ファイル > 外部データ > 欠けているファイルの検索 を使ってください。"
    ),
    "“{}” has no vertex groups.": "「{}」には頂点グループがありません。",
    "Choose a source with weights.": "ウェイトのあるソースを選んでください。",
    "The chosen groups of “{}” hold no weights.": "「{}」の選択グループにはウェイトがありません。",
    "Choose other groups, or paint them.": "別のグループを選ぶか、ペイントしてください。",
    "No armature poses “{}”.": "「{}」を動かすアーマチュアがありません。",
    "Give it an Armature modifier, or choose another source.": (
        "アーマチュアモディファイアーを追加するか、別のソースを選んでください。"
    ),
    "“{}” plays no action.": "「{}」はアクションを再生していません。",
    "“{}” has no attributes that can be carried.": "「{}」には転送できる属性がありません。",
    "Paint or add one first.": "先にペイントするか追加してください。",
    "“{}” has no materials.": "「{}」にはマテリアルがありません。",
    "Give its faces materials first.": "先に面にマテリアルを設定してください。",
    "“{}” has no shape keys{}.": "「{}」にはシェイプキーがありません{}。",
    "Choose a source that has some.": "それを持つソースを選んでください。",
    "No hair curves grow on “{}”.": "「{}」にはヘアーカーブがありません。",
    "Source and target are the same object.": "ソースとターゲットが同じオブジェクトです。",
    "Choose two different objects.": "異なる2つのオブジェクトを選んでください。",
    "“{}” was changed since it was matched.": "マッチの後に「{}」が変更されました。",
    "Match the two again.": "もう一度マッチしてください。",
    "Press Match first.": "先に「マッチ」を押してください。",
    "The mesh of “{}” is being edited.": "「{}」のメッシュは編集中です。",
    "Go back to Object Mode first.": "先にオブジェクトモードに戻ってください。",
    "The worker is not set up.": "ワーカーがセットアップされていません。",
    "Press “Set Up MeshKin” in the panel, or run `meshkin worker setup`.": (
        "「MeshKinをセットアップ」を押すか、`meshkin worker setup` を実行してください。"
    ),
    "Press “Set Up MeshKin” in the preferences, or run `meshkin worker setup`. If a Python was chosen there, or as"
    " MESHKIN_WORKER_PYTHON, choose another one, or none.": (
        "プリファレンスで「MeshKinをセットアップ」を押すか、`meshkin worker setup` を実行してください。そこ、または"
        " MESHKIN_WORKER_PYTHON でPythonを指定している場合は、別のものを選ぶか、指定を外してください。"
    ),
    "Set it to that, or unset it (in Blender: the field in MeshKin’s preferences).": (
        "正しい値にするか、設定を外してください(Blenderでは: MeshKinのプリファレンスの欄)。"
    ),
    "The memory is not enough for this job.": "このジョブにはメモリが足りません。",
    "Close other programs, choose another device, or use fewer or smaller views.": (
        "他のプログラムを閉じる、別のデバイスを選ぶ、またはビューを減らすか小さくしてください。"
    ),
    "Free some space or choose another folder.": "空き容量を増やすか、別のフォルダーを選んでください。",
    "Choose a folder that you may write to.": "書き込み可能なフォルダーを選んでください。",
    "The job was cancelled.": "ジョブをキャンセルしました。",
}
