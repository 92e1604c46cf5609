"""Left and right in names, in the schemes that riggers use."""

from __future__ import annotations

import pytest

from meshkin.base.options import options_of
from meshkin.base.sides import mirror_indices, other_side, parse_table, rename, unique_names
from meshkin.transfer.weights.options import WeightOptions

PAIRS = [
    ("arm.L", "arm.R"),
    ("arm.l", "arm.r"),
    ("arm_L.001", "arm_R.001"),
    ("arm-l", "arm-r"),
    ("L_arm", "R_arm"),
    ("l.arm", "r.arm"),
    ("LeftArm", "RightArm"),
    ("leftArm", "rightArm"),
    ("left_hand", "right_hand"),
    ("hand_left", "hand_right"),
    ("HAND_LEFT", "HAND_RIGHT"),
    ("mixamorig:LeftHandIndex1", "mixamorig:RightHandIndex1"),
    ("Bip01 L UpperArm", "Bip01 R UpperArm"),
    ("ORG-upper_arm.L", "ORG-upper_arm.R"),
    ("DEF-thigh.L.001", "DEF-thigh.R.001"),
    ("upperarm01.L", "upperarm01.R"),
    ("armL", "armR"),
    ("Finger1L", "Finger1R"),
    ("thigh_l", "thigh_r"),
    ("front_left_foot", "front_right_foot"),
    ("FrontLeg.L_end", "FrontLeg.R_end"),
    ("lThigh", "rThigh"),
    ("lShldrBend", "rShldrBend"),
    ("Genesis8Female:lEye", "Genesis8Female:rEye"),
    ("lBigToe_2", "rBigToe_2"),
    ("LHand", "RHand"),
    ("LUpArm", "RUpArm"),
    ("rig_LCalf", "rig_RCalf"),
    ("左腕", "右腕"),
    ("左足ＩＫ", "右足ＩＫ"),
    ("腕.L", "腕.R"),
    ("左腕.L", "右腕.R"),
    ("왼팔", "오른팔"),
    ("NPC L Thigh [LThg]", "NPC R Thigh [RThg]"),
    ("NPC L Finger00 [LF00]", "NPC R Finger00 [RF00]"),
    ("NPC L Foot [Lft ]", "NPC R Foot [Rft ]"),
    ("LeftArm_L", "RightArm_R"),
    ("FootL_end", "FootR_end"),
]

MARKED_WHERE_THE_OTHER_IS_THERE = [
    ("lthigh", "rthigh"),
    ("LARM", "RARM"),
    ("handl", "handr"),
    ("lf_arm", "rt_arm"),
    ("Lf_Arm", "Rt_Arm"),
    ("LtArm", "RtArm"),
    ("arm_lft", "arm_rgt"),
    ("LF_leg", "RF_leg"),
    ("leg_FL", "leg_FR"),
    ("leg.BL", "leg.BR"),
    ("Arm_Links", "Arm_Rechts"),
    ("bras_gauche", "bras_droit"),
    ("jambe_gauche", "jambe_droite"),
    ("BrazoIzquierdo", "BrazoDerecho"),
    ("mano_izquierda", "mano_derecha"),
    ("braccio_sx", "braccio_dx"),
    ("eyelid_L_L", "eyelid_R_L"),
    ("L_forearm_R", "R_forearm_R"),
]
"""Names in which other letters could be marks as well, or which could be words without a side."""


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_schemes(left: str, right: str) -> None:
    assert other_side(left) == right
    assert other_side(right) == left
    assert mirror_indices([left, "spine", right]) == [2, -1, 0]


@pytest.mark.parametrize(("left", "right"), MARKED_WHERE_THE_OTHER_IS_THERE)
def test_marks_that_the_other_names_tell(left: str, right: str) -> None:
    assert mirror_indices([left, "spine", right]) == [2, -1, 0]
    assert mirror_indices([right, "spine", "legs", left]) == [3, -1, -1, 0]


@pytest.mark.parametrize("name", ["chain_links", "leg", "rib", "der", "mouth_lower", "collar", "RIBS"])
def test_words_that_only_look_like_marks(name: str) -> None:
    assert other_side(name) == name
    assert mirror_indices([name, "spine"]) == [-1, -1]


@pytest.mark.parametrize(
    "name", ["spine", "Root", "pelvis", "skull", "Bright", "copyright", "tail.001", "Cleft", "IKGOAL", "ctrl", "骨"]
)
def test_no_side(name: str) -> None:
    assert other_side(name) == name
    assert mirror_indices([name, "arm.L"]) == [-1, -1]


def test_tables() -> None:
    table = parse_table("arm.L = LeftArm, arm.R=RightArm;\n spine = Spine")
    assert rename(["arm.L", "spine", "head"], table) == ["LeftArm", "Spine", "head"]
    assert parse_table('"arm, left" = "a=b"; spine="Spine"') == {"arm, left": "a=b", "spine": "Spine"}
    renames = options_of(WeightOptions)["rename"].text
    assert renames is not None
    pairs = (("arm, left", "a=b"), ("spine", "Spine"), ("x;y", "z"))
    assert renames.parse(renames.write(pairs)) == pairs
    with pytest.raises(ValueError, match=r"^arm\.L$"):
        parse_table("spine=Spine, arm.L")


def test_names_without_repetition() -> None:
    assert unique_names(["spine", "head", "spine", "arm.L"]) == (["spine", "head", "arm.L"], [0, 1, 0, 2])
    assert unique_names([]) == ([], [])
